package chattest

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/seed67206a74/parley/events"
	"github.com/zishang520/socket.io/servers/socket/v3"
)

// The names that are no event of the contract.
const (
	nameEcho              = "echo" // acknowledged with its own arguments
	nameError             = "error"
	nameDiscoveryRequest  = "meta:events:request"
	nameDiscoveryResponse = "meta:events:response"
)

// result is what an event of the contract is acknowledged with.
type result struct {
	OK    bool   `json:"ok"`
	Error string `json:"error,omitempty"`
}

// receive handles one event: its name, its arguments and, if the client wants
// an acknowledgement, a socket.Ack. The library calls it for one event of a
// client after the other.
func (s *Server) receive(m *member, args []any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m.ctx.Err() != nil {
		return
	}

	name, _ := args[0].(string)
	args = args[1:]
	acknowledge := func(...any) {}
	if last := len(args) - 1; last >= 0 {
		if ack, ok := args[last].(socket.Ack); ok {
			args = args[:last]
			acknowledge = func(args ...any) { ack(args, nil) }
		}
	}

	switch name {
	case nameEcho:
		acknowledge(args...)
		return
	case nameDiscoveryRequest:
		_ = m.socket.Emit(nameDiscoveryResponse, s.names)
		return
	}
	handle, ok := handlers[s.keys[name]]
	if !ok {
		return
	}
	payload := payloadOf(args)
	s.identify(m, payload)
	if err := handle(s, m, payload); err != nil {
		s.sendError(m, name, err)
		acknowledge(result{Error: err.Error()})
		return
	}
	acknowledge(result{OK: true})
}

// payloadOf is an event's first argument: null if there is none, or if the
// event came with binary attachments.
func payloadOf(args []any) json.RawMessage {
	if len(args) > 0 {
		if raw, ok := args[0].(json.RawMessage); ok {
			return raw
		}
	}
	return json.RawMessage("null")
}

// identify takes the first user id that m gives for who m is.
func (s *Server) identify(m *member, payload json.RawMessage) {
	if !m.userID.IsZero() {
		return
	}
	var from struct {
		UserID events.ID `json:"userId"`
	}
	if json.Unmarshal(payload, &from) != nil || from.UserID.IsZero() {
		return
	}
	m.userID = from.UserID
	for chatID, room := range s.rooms {
		if slices.Contains(room, m) {
			s.sendPresence(chatID)
		}
	}
}

// handlers has what each event that goes to the server leads to. An error says
// what is wrong with the payload.
var handlers = map[events.Key]func(*Server, *member, json.RawMessage) error{
	events.KeyJoin:            handler((*Server).join),
	events.KeyUserMessage:     handler((*Server).say),
	events.KeyUserTypingStart: handler(ignore[events.Typing]),
	events.KeyUserTypingStop:  handler(ignore[events.Typing]),
	events.KeyAIAbort:         handler((*Server).abort),
	events.KeyChatRead:        handler(ignore[events.Read]),
}

func handler[T any](handle func(*Server, *member, T)) func(*Server, *member, json.RawMessage) error {
	return func(s *Server, m *member, payload json.RawMessage) error {
		var p T
		if err := json.Unmarshal(payload, &p); err != nil {
			return err
		}
		handle(s, m, p)
		return nil
	}
}

func ignore[T any](*Server, *member, T) {}

// say tells everybody who hears m what it has said, and has it answered.
func (s *Server) say(m *member, q events.UserMessage) {
	s.send(s.audience(m, q.ChatID), s.inTurn(q, events.ChatMessage{
		MessageID: q.MessageID,
		UserID:    q.UserID,
		Text:      q.Text,
		CreatedAt: time.Now(),
	}))
	s.answer(m, q)
}
