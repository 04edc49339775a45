package chattest

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/sioserver"
)

// The names outside of the contract.
const (
	nameEcho              = "echo" // acknowledged with its own arguments
	nameError             = "error"
	nameLeave             = "chat:leave"
	nameDiscoveryRequest  = "meta:events:request"
	nameDiscoveryResponse = "meta:events:response"
)

// result is the acknowledgement of an event of the contract.
type result struct {
	OK    bool   `json:"ok"`
	Error string `json:"error,omitempty"`
}

// receive handles one event: first the Handler of its name, if it has one, then
// the backend. The event is recorded afterwards. sioserver calls it for one
// event of a client after the other.
func (s *Server) receive(e *sioserver.Event) {
	if s.ctx.Err() != nil {
		return
	}
	r := Received{
		Socket:   e.Socket.Data.(*Socket),
		Name:     e.Name,
		Args:     inlined(e.Args, e.Attachments),
		WantsAck: e.WantsAck,
		event:    e,
	}
	reply, err := s.handled(r)

	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx.Err() != nil {
		return
	}
	defer s.record.add(r)
	if err == nil {
		own, failure := s.step(r)
		if err = failure; reply == nil {
			reply = own
		}
	}
	switch {
	case errors.Is(err, ErrNoReply):
	case err != nil:
		s.sendError(r.Socket, r.Name, err)
		_ = e.Ack(refusalReply(err))
	case reply != nil:
		_ = e.Ack(reply...) // a client that is gone misses it
	}
}

// step is the backend's own handling of an event. It returns the arguments
// of the acknowledgement, nil for none, or an error about the payload.
func (s *Server) step(r Received) (reply []any, err error) {
	switch r.Name {
	case nameEcho:
		return r.event.Values(), nil
	case nameDiscoveryRequest:
		_ = r.Socket.io.Emit(nameDiscoveryResponse, s.encodedNames())
		return nil, nil
	}
	act, ok := actions[s.keys[r.Name]]
	switch {
	case ok:
	case r.Name == nameLeave:
		act = action((*Server).leave)
	default:
		return nil, nil
	}
	s.identify(r.Socket, r.payload())
	if err := act(s, r.Socket, r.payload()); err != nil {
		return nil, err
	}
	return []any{result{OK: true}}, nil
}

// identify takes the first user id in an event of k as its user.
func (s *Server) identify(k *Socket, payload json.RawMessage) {
	if !k.userID.IsZero() {
		return
	}
	var from struct {
		UserID events.ID `json:"userId"`
	}
	if json.Unmarshal(payload, &from) != nil || from.UserID.IsZero() {
		return
	}
	k.userID = from.UserID
	s.sendPresenceOf(k)
}

// actions are the backend's own steps for the events of the contract. An error
// is about the payload.
var actions = map[events.Key]func(*Server, *Socket, json.RawMessage) error{
	events.KeyJoin:            action((*Server).join),
	events.KeyUserMessage:     action((*Server).say),
	events.KeyUserTypingStart: action(ignore[events.Typing]),
	events.KeyUserTypingStop:  action(ignore[events.Typing]),
	events.KeyAIAbort:         action((*Server).abort),
	events.KeyChatRead:        action(ignore[events.Read]),
}

func action[T any](act func(*Server, *Socket, T)) func(*Server, *Socket, json.RawMessage) error {
	return func(s *Server, k *Socket, payload json.RawMessage) error {
		var p T
		if err := json.Unmarshal(payload, &p); err != nil {
			return err
		}
		act(s, k, p)
		return nil
	}
}

func ignore[T any](*Server, *Socket, T) {}

// say sends a user message to the audience of k, and starts its answer.
func (s *Server) say(k *Socket, q events.UserMessage) {
	id := q.MessageID
	if s.cfg.MessageID != nil {
		id = s.cfg.MessageID(q)
	}
	s.send(s.audience(k, q.ChatID), s.envelopeOf(q).around(events.ChatMessage{
		MessageID: id,
		UserID:    q.UserID,
		Text:      q.Text,
		CreatedAt: time.Now(),
	}))
	s.answer(k, q)
}
