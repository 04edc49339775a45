package events

import (
	"encoding/json"
	"time"
)

// UserMessage is a message from a user. It starts a turn of the conversation.
type UserMessage struct {
	ChatID    ID     `json:"chatId,omitzero"`
	TraceID   string `json:"traceId,omitzero" read:"number"`
	RequestID string `json:"requestId,omitzero" read:"number"` // the answer's events have the same

	MessageID string `json:"messageId" read:"number"`
	UserID    ID     `json:"userId"`
	Text      string `json:"text"`
	Parts     []Part `json:"parts,omitzero"` // attachments of the text

	Extra map[string]json.RawMessage `json:"-"`
}

// Part is an attachment of a message.
type Part struct {
	Type string `json:"type" enum:"text|image|file"`

	// Value is any value that encoding/json can encode. It is decoded as
	// encoding/json decodes into an any, except that numbers become
	// json.Number.
	Value any `json:"value"`
}

// Typing reports that a user has started or stopped typing. The event's key is
// [KeyUserTypingStart] or [KeyUserTypingStop].
type Typing struct {
	ChatID    ID     `json:"chatId,omitzero"`
	TraceID   string `json:"traceId,omitzero" read:"number"`
	RequestID string `json:"requestId,omitzero" read:"number"`

	UserID ID `json:"userId"`

	Extra map[string]json.RawMessage `json:"-"`
}

// Abort asks the server to stop the answer to the request RequestID.
type Abort struct {
	ChatID    ID     `json:"chatId,omitzero"`
	TraceID   string `json:"traceId,omitzero" read:"number"`
	RequestID string `json:"requestId,omitzero" read:"number"`

	Reason string `json:"reason,omitzero"`

	Extra map[string]json.RawMessage `json:"-"`
}

// Read reports that a user has read messages.
type Read struct {
	ChatID    ID     `json:"chatId,omitzero"`
	TraceID   string `json:"traceId,omitzero" read:"number"`
	RequestID string `json:"requestId,omitzero" read:"number"`

	UserID     ID        `json:"userId"`
	MessageIDs []string  `json:"messageIds" read:"number"`
	ReadAt     time.Time `json:"readAt" read:"missing"`

	Extra map[string]json.RawMessage `json:"-"`
}

// ChatMessage is a message from a person in the chat.
type ChatMessage struct {
	ChatID    ID     `json:"chatId,omitzero"`
	TraceID   string `json:"traceId,omitzero" read:"number"`
	RequestID string `json:"requestId,omitzero" read:"number"`

	MessageID string    `json:"messageId" read:"number"`
	UserID    ID        `json:"userId"`
	Text      string    `json:"text"`
	CreatedAt time.Time `json:"createdAt" read:"missing"`

	Extra map[string]json.RawMessage `json:"-"`
}

// Presence lists the users who are online in the chat.
type Presence struct {
	ChatID    ID     `json:"chatId,omitzero"`
	TraceID   string `json:"traceId,omitzero" read:"number"`
	RequestID string `json:"requestId,omitzero" read:"number"`

	OnlineUserIDs []ID `json:"onlineUserIds"`

	Extra map[string]json.RawMessage `json:"-"`
}
