package events

import (
	"encoding/json"
	"time"
)

// UserMessage is what a user says: one turn of the conversation.
type UserMessage struct {
	ChatID    ID     `json:"chatId,omitzero"`
	TraceID   string `json:"traceId,omitzero"`
	RequestID string `json:"requestId,omitzero"` // what the answer will carry

	MessageID string `json:"messageId"`
	UserID    ID     `json:"userId"`
	Text      string `json:"text"`
	Parts     []Part `json:"parts,omitzero"` // what comes with the text

	Extra map[string]json.RawMessage `json:"-"`
}

// Part is a piece of a message that is not its text.
type Part struct {
	Type string `json:"type" enum:"text|image|file"`

	// Value is anything that encoding/json can write, and what it reads into an
	// any, but for numbers: they are a json.Number, with every digit.
	Value any `json:"value"`
}

// Typing says that a user has begun to type, or has stopped: its key says which.
type Typing struct {
	ChatID    ID     `json:"chatId,omitzero"`
	TraceID   string `json:"traceId,omitzero"`
	RequestID string `json:"requestId,omitzero"`

	UserID ID `json:"userId"`

	Extra map[string]json.RawMessage `json:"-"`
}

// Abort asks the server to stop answering. RequestID is the turn meant.
type Abort struct {
	ChatID    ID     `json:"chatId,omitzero"`
	TraceID   string `json:"traceId,omitzero"`
	RequestID string `json:"requestId,omitzero"`

	Reason string `json:"reason,omitzero"`

	Extra map[string]json.RawMessage `json:"-"`
}

// Read says that a user has seen messages.
type Read struct {
	ChatID    ID     `json:"chatId,omitzero"`
	TraceID   string `json:"traceId,omitzero"`
	RequestID string `json:"requestId,omitzero"`

	UserID     ID        `json:"userId"`
	MessageIDs []string  `json:"messageIds"`
	ReadAt     time.Time `json:"readAt"`

	Extra map[string]json.RawMessage `json:"-"`
}
