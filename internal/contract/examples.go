package contract

import (
	"encoding/json"
	"time"

	"github.com/seed67206a74/parley/events"
)

var (
	room = events.StringID("room-1")
	user = events.StringID("u1")
	noon = time.Date(2026, 3, 4, 12, 0, 0, 250_000_000, time.UTC)
	join = map[string]any{"chatId": room}
	turn = "r1"
)

// examples has a payload for each key. A payload from the server is an
// events.Event, which decides the direction.
var examples = map[events.Key]any{
	events.KeyJoin: join,
	events.KeyUserMessage: events.UserMessage{
		ChatID: room, TraceID: "t1", RequestID: turn,
		MessageID: "m1", UserID: user, Text: "What is in the picture?",
		Parts: []events.Part{{Type: "image", Value: map[string]any{"url": "https://example.com/a.png"}}},
	},
	events.KeyUserTypingStart: events.Typing{ChatID: room, UserID: user},
	events.KeyUserTypingStop:  events.Typing{ChatID: room, UserID: events.IntID(9007199254740993)},
	events.KeyAIAbort:         events.Abort{ChatID: room, RequestID: turn, Reason: "no longer wanted"},
	events.KeyChatRead:        events.Read{ChatID: room, UserID: user, MessageIDs: []string{"m1", "m2"}, ReadAt: noon},

	events.KeyChatMessage:    events.ChatMessage{ChatID: room, MessageID: "m1", UserID: user, Text: "Hello", CreatedAt: noon},
	events.KeyPresenceUpdate: events.Presence{ChatID: room, OnlineUserIDs: []events.ID{user, events.IntID(7)}},
	events.KeyAIProcessing: events.AIProcessing{
		ChatID: room, RequestID: turn, Status: events.StatusQueued, EtaMs: 1500, Reason: "two are before you",
	},
	events.KeyAIToken: events.AIToken{ChatID: room, RequestID: turn, Token: "A ", Index: 0},
	events.KeyAIMessage: events.AIMessage{
		ChatID: room, RequestID: turn, MessageID: "m2", Role: "assistant", Text: "A cat.", CreatedAt: noon,
		Usage:   &events.Usage{PromptTokens: 12, CompletionTokens: 3, TotalTokens: 15},
		Options: []string{"Tell me more", "Thanks"},
	},
	events.KeyAIError: events.AIError{
		ChatID: room, RequestID: turn, Code: "rate_limit", Message: "Slow down.", Details: json.RawMessage(`{"retryAfter":30}`),
	},
	events.KeyAIToolCall: events.AIToolCall{
		ChatID: room, RequestID: turn, CallID: "c1", ToolName: "clock", Args: json.RawMessage(`{"zone":"Asia/Tokyo"}`),
	},
	events.KeyAIToolResult: events.AIToolResult{
		ChatID: room, RequestID: turn, CallID: "c1", ToolName: "clock", Result: json.RawMessage(`"noon"`),
	},
}
