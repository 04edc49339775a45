package chattest

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/seed67206a74/parley/conn"
)

// A Handler deals with one event of a client, see [Server.Handle]. Its ctx ends
// when the client is gone for good, and on Close.
type Handler func(ctx context.Context, r Received) (reply any, err error)

// ErrNoReply is what a Handler returns to have nothing done about an event,
// as if it had never come: no room is entered, no question answered, nothing
// acknowledged.
var ErrNoReply = errors.New("chattest: not answered")

// Handle has h deal with the events of a name from now on: one of the backend's own that
// the contract does not have, or one of the contract's, whose name is that of Config.Names. A
// later Handler takes the place of an earlier one; nil takes it away.
//
// What h returns goes back as the acknowledgement if the client wants one; nil stands for
// {"ok": true}. An event of the contract then takes its usual course, in
// which h was the first step. An error refuses it: nothing more is done, the
// client gets an error event with the error's text and, if it wants an
// acknowledgement, {"ok": false, "error"}, or what a [*conn.ReplyError] says. [Refuse]
// makes such a Handler. With [ErrNoReply] there is silence.
//
// A client's events are dealt with one after the other, so a Handler that waits
// lets those behind it wait. It may wait for anything but these, the client's acknowledgements included.
func (s *Server) Handle(name string, h Handler) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h == nil {
		delete(s.handlers, name)
		return
	}
	s.handlers[name] = h
}

// Refuse is a Handler that refuses everything with err.
func Refuse(err error) Handler {
	return func(context.Context, Received) (any, error) { return nil, err }
}

// handled asks the Handler of an event, if it has one.
func (s *Server) handled(r Received) (reply []any, err error) {
	s.mu.Lock()
	h := s.handlers[r.Name]
	s.mu.Unlock()
	if h == nil {
		return nil, nil
	}
	answer, err := h(r.Socket.ctx, r)
	if err != nil {
		return nil, err
	}
	if answer == nil {
		answer = result{OK: true}
	}
	encoded, err := json.Marshal(answer)
	return []any{json.RawMessage(encoded)}, err
}

// refusalReply is what a refused event is acknowledged with.
func refusalReply(err error) any {
	if chosen, ok := errors.AsType[*conn.ReplyError](err); ok {
		if encoded, err := json.Marshal(chosen.Reply); err == nil {
			return json.RawMessage(encoded)
		}
	}
	return result{Error: err.Error()}
}
