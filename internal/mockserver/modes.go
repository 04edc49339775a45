package mockserver

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"flag"
	"strconv"
	"time"

	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/events"
)

// Modes imitate backends that differ from the contract. The zero value follows
// the contract. Unlike faults, modes are fixed at start.
type Modes struct {
	NoRequestIDs  bool // events have no requestId
	NoStop        bool // ai:abort is ignored
	OffContract   bool // payloads have other types, such as ids as numbers and counts as strings
	EarlyEvents   bool // a client gets events before its CONNECT is answered
	OwnMessageIDs bool // broadcast messages have new ids instead of their senders'
}

// Flags adds a flag for each mode.
func (m *Modes) Flags(set *flag.FlagSet) {
	set.BoolVar(&m.NoRequestIDs, "no-request-ids", m.NoRequestIDs, "send events without requestId")
	set.BoolVar(&m.NoStop, "no-stop", m.NoStop, "ignore ai:abort")
	set.BoolVar(&m.OffContract, "off-contract", m.OffContract, "send payloads with types off the contract")
	set.BoolVar(&m.EarlyEvents, "early-events", m.EarlyEvents, "send events before CONNECT is answered")
	set.BoolVar(&m.OwnMessageIDs, "own-message-ids", m.OwnMessageIDs, "send broadcast messages with new ids")
}

// greet sends the events before the answer to a CONNECT.
func (s *Server) greet(k *chattest.Socket) error {
	if !s.cfg.Modes.EarlyEvents {
		return nil
	}
	return k.Emit(context.Background(), s.name(events.KeyChatMessage), events.ChatMessage{
		MessageID: rand.Text(),
		UserID:    events.StringID("mockserver"),
		Text:      "Welcome, before you are connected.",
		CreatedAt: time.Now(),
	})
}

// ignore drops an event without an acknowledgement.
func ignore(context.Context, chattest.Received) (any, error) { return nil, chattest.ErrNoReply }

// emitter returns the emit function of an answer in the server's mode.
func (s *Server) emitter(ctx context.Context, q events.UserMessage, emit func(events.Event)) func(events.Event) {
	if !s.cfg.Modes.OffContract {
		return emit
	}
	return func(ev events.Event) {
		var payload map[string]any
		encoded, err := json.Marshal(ev)
		if err != nil || json.Unmarshal(encoded, &payload) != nil {
			emit(ev)
			return
		}
		payload["chatId"], payload["requestId"] = q.ChatID, q.RequestID
		s.emitRaw(ctx, q, ev.Key(), offContract(ev.Key(), payload))
	}
}

// offContract returns a payload with types off the contract.
func offContract(key events.Key, payload map[string]any) any {
	if key == events.KeyAIError {
		return payload["message"]
	}
	if at, err := time.Parse(time.RFC3339, stringOf(payload["createdAt"])); err == nil {
		payload["createdAt"] = at.UnixMilli()
	}
	if _, ok := payload["messageId"]; ok {
		payload["messageId"] = time.Now().UnixMilli()
	}
	if usage, ok := payload["usage"].(map[string]any); ok {
		for name, count := range usage {
			if n, ok := count.(float64); ok {
				usage[name] = strconv.FormatFloat(n, 'f', -1, 64)
			}
		}
	}
	return payload
}

func stringOf(v any) string {
	s, _ := v.(string)
	return s
}

// emitRaw sends a payload of any shape to the clients that receive an answer.
func (s *Server) emitRaw(ctx context.Context, q events.UserMessage, key events.Key, payload any) {
	socket := chattest.SocketFromContext(ctx)
	_ = socket.Emit(ctx, s.name(key), payload) // a client that is gone misses it
	for _, k := range s.others(socket, q.ChatID) {
		_ = k.Emit(ctx, s.name(key), payload)
	}
}

// hasTool reports whether a client has registered a tool: its auth names it in
// the array "tools".
func hasTool(k *chattest.Socket, name string) bool {
	tools, _ := k.Auth["tools"].([]any)
	for _, tool := range tools {
		if tool == name {
			return true
		}
	}
	return false
}
