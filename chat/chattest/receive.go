package chattest

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/seed67206a74/parley/events"
	"github.com/zishang520/socket.io/servers/socket/v3"
)

// The names that are no event of the contract.
const (
	nameEcho              = "echo" // acknowledged with its own arguments
	nameError             = "error"
	nameLeave             = "chat:leave"
	nameDiscoveryRequest  = "meta:events:request"
	nameDiscoveryResponse = "meta:events:response"
)

// result is what an event of the contract is acknowledged with.
type result struct {
	OK    bool   `json:"ok"`
	Error string `json:"error,omitempty"`
}

// receive takes in one event: its name, its arguments and, if the client wants
// an acknowledgement, a socket.Ack. The library calls it for one event of a
// client after the other.
func (s *Server) receive(k *Socket, args []any) {
	name, _ := args[0].(string)
	args = args[1:]
	acknowledge := func(...any) {}
	wantsAck := false
	if last := len(args) - 1; last >= 0 {
		if ack, ok := args[last].(socket.Ack); ok {
			args, wantsAck = args[:last], true
			acknowledge = func(args ...any) { ack(args, nil) }
		}
	}
	r := Received{Socket: k, Name: name, Args: jsonOf(args), WantsAck: wantsAck, args: args}
	k.inbox.put(func() { s.deal(r, acknowledge) })
}

// deal deals with one event: first the Handler of its name, if it has one, then
// the backend. The event is recorded when all of that is done.
func (s *Server) deal(r Received, acknowledge func(...any)) {
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
		acknowledge(refusalReply(err))
	case reply != nil:
		acknowledge(reply...)
	}
}

// step is what the backend itself does about an event; what it returns is the
// acknowledgement, nil for none. An error says what is wrong with the payload.
func (s *Server) step(r Received) (reply []any, err error) {
	switch r.Name {
	case nameEcho:
		return r.args, nil
	case nameDiscoveryRequest:
		_ = r.Socket.emit(nameDiscoveryResponse, s.encodedNames())
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

// identify takes the first user id that k gives for who k is.
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
	s.tellRooms(k)
}

// actions has what each event that goes to the server leads to. An error says
// what is wrong with the payload.
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

// say tells everybody who hears k what it has said, and has it answered.
func (s *Server) say(k *Socket, q events.UserMessage) {
	s.send(s.audience(k, q.ChatID), s.envelopeOf(q).around(events.ChatMessage{
		MessageID: q.MessageID,
		UserID:    q.UserID,
		Text:      q.Text,
		CreatedAt: time.Now(),
	}))
	s.answer(k, q)
}
