package events

import (
	"encoding/json"
	"time"
)

// ChatMessage is what a person in the chat has said.
type ChatMessage struct {
	ChatID    ID     `json:"chatId,omitzero"`
	TraceID   string `json:"traceId,omitzero"`
	RequestID string `json:"requestId,omitzero"`

	MessageID string    `json:"messageId"`
	UserID    ID        `json:"userId"`
	Text      string    `json:"text"`
	CreatedAt time.Time `json:"createdAt"`

	Extra map[string]json.RawMessage `json:"-"`
}

// Presence says who is in the chat now.
type Presence struct {
	ChatID    ID     `json:"chatId,omitzero"`
	TraceID   string `json:"traceId,omitzero"`
	RequestID string `json:"requestId,omitzero"`

	OnlineUserIDs []ID `json:"onlineUserIds"`

	Extra map[string]json.RawMessage `json:"-"`
}
