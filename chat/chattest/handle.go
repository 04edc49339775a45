package chattest

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/internal/socketio"
)

// A Handler handles one event of a client, see [Server.Handle]. Its ctx ends
// when the client's session ends, and on Close.
type Handler func(ctx context.Context, r Received) (reply any, err error)

// Args are the arguments of an acknowledgement. A Handler returns them to reply
// with no argument, or with more than one.
type Args []any

// ErrNoReply is returned by a Handler to ignore an event: the backend joins no
// room, answers no question and sends no acknowledgement.
var ErrNoReply = errors.New("chattest: no reply")

// Handle sets the Handler of the events of a name: custom events, or those of
// the contract by their name in Config.Names. It replaces an earlier Handler;
// nil removes it.
//
// The reply of h is the acknowledgement, if the client asks for one: [Args] are
// its arguments, any other value is the only argument, and nil stands for
// {"ok": true}. Each []byte in it is sent as a binary attachment. For an event
// of the contract the backend's own handling follows.
//
// An error rejects the event: the backend does not handle it, and the client
// receives an error event with the error's text. If it asks for an
// acknowledgement, this is {"ok": false, "error"}, or the Reply of a
// [*conn.ReplyError]. [Refuse] returns such a Handler. After [ErrNoReply]
// nothing is sent.
//
// A client's events are handled one after the other, so a Handler that blocks
// delays the events behind it. It must not wait for these events. It may wait
// for the client's acknowledgements.
func (s *Server) Handle(name string, h Handler) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h == nil {
		delete(s.handlers, name)
		return
	}
	s.handlers[name] = h
}

// Refuse returns a Handler that rejects every event with err.
func Refuse(err error) Handler {
	return func(context.Context, Received) (any, error) { return nil, err }
}

// handled calls the Handler of an event, if there is one.
func (s *Server) handled(r Received) (reply []any, err error) {
	s.mu.Lock()
	h := s.handlers[r.Name]
	s.mu.Unlock()
	if h == nil {
		return nil, nil
	}
	answer, err := h(r.Socket.io.Context(), r)
	if err != nil {
		return nil, err
	}
	switch answer := answer.(type) {
	case nil:
		return []any{result{OK: true}}, nil
	case Args:
		reply = answer
	default:
		reply = []any{answer}
	}
	_, _, err = socketio.EncodeArgs(reply...) // a reply that cannot be encoded rejects the event
	return reply, err
}

// refusalReply returns the acknowledgement of a rejected event.
func refusalReply(err error) any {
	if chosen, ok := errors.AsType[*conn.ReplyError](err); ok {
		if encoded, err := json.Marshal(chosen.Reply); err == nil {
			return json.RawMessage(encoded)
		}
	}
	return result{Error: err.Error()}
}
