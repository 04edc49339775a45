package events

import (
	"encoding/json"
	"time"
)

// Status is the server's progress with an answer. A value other than the
// constants is kept as received.
type Status string

// The statuses of the contract.
const (
	StatusQueued   Status = "queued"
	StatusWorking  Status = "working"
	StatusRetrying Status = "retrying"
)

// AIProcessing reports the server's progress with an answer.
type AIProcessing struct {
	ChatID    ID     `json:"chatId,omitzero"`
	TraceID   string `json:"traceId,omitzero"`
	RequestID string `json:"requestId,omitzero"`

	Status Status  `json:"status" enum:"queued|working|retrying"`
	EtaMs  float64 `json:"etaMs,omitzero"` // estimated milliseconds until the answer
	Reason string  `json:"reason,omitzero"`

	Extra map[string]json.RawMessage `json:"-"`
}

// AIToken is the next piece of a streamed answer.
type AIToken struct {
	ChatID    ID     `json:"chatId,omitzero"`
	TraceID   string `json:"traceId,omitzero"`
	RequestID string `json:"requestId,omitzero"`

	Token string `json:"token"`
	Index int    `json:"index"` // the token's position in its answer
	// Done is false in the contract. An AIMessage ends the answer.
	Done bool `json:"done,omitzero" enum:"false"`

	Extra map[string]json.RawMessage `json:"-"`
}

// AIMessage is the complete answer. It ends the turn.
type AIMessage struct {
	ChatID    ID     `json:"chatId,omitzero"`
	TraceID   string `json:"traceId,omitzero"`
	RequestID string `json:"requestId,omitzero"`

	MessageID string    `json:"messageId"`
	Role      string    `json:"role" enum:"assistant"`
	Text      string    `json:"text"`
	CreatedAt time.Time `json:"createdAt"`
	Usage     *Usage    `json:"usage,omitzero"`   // nil if the server does not report it
	Options   []string  `json:"options,omitzero"` // suggested replies for the user

	Extra map[string]json.RawMessage `json:"-"`
}

// Usage is the number of tokens that an answer used. A count that the server
// leaves out is 0.
type Usage struct {
	PromptTokens     int64 `json:"promptTokens,omitzero"`
	CompletionTokens int64 `json:"completionTokens,omitzero"`
	TotalTokens      int64 `json:"totalTokens,omitzero"`

	Extra map[string]json.RawMessage `json:"-"`
}

// AIError reports that the answer failed. It ends the turn. *AIError is an
// error, so errors.As needs a variable of type *AIError.
type AIError struct {
	ChatID    ID     `json:"chatId,omitzero"`
	TraceID   string `json:"traceId,omitzero"`
	RequestID string `json:"requestId,omitzero"`

	Code    string          `json:"code,omitzero"`
	Message string          `json:"message"`
	Details json.RawMessage `json:"details,omitzero"` // nil without details

	Extra map[string]json.RawMessage `json:"-"`
}

// Error returns "ai error: code: message", or "ai error: message" without a
// code.
func (p *AIError) Error() string {
	if p.Code == "" {
		return "ai error: " + p.Message
	}
	return "ai error: " + p.Code + ": " + p.Message
}

// AIToolCall reports that the AI calls a tool.
type AIToolCall struct {
	ChatID    ID     `json:"chatId,omitzero"`
	TraceID   string `json:"traceId,omitzero"`
	RequestID string `json:"requestId,omitzero"`

	CallID   string          `json:"callId"`
	ToolName string          `json:"toolName"`
	Args     json.RawMessage `json:"args"` // the server's JSON, to decode into the tool's type

	Extra map[string]json.RawMessage `json:"-"`
}

// AIToolResult reports the result of a tool. CallID is that of the call.
type AIToolResult struct {
	ChatID    ID     `json:"chatId,omitzero"`
	TraceID   string `json:"traceId,omitzero"`
	RequestID string `json:"requestId,omitzero"`

	CallID   string          `json:"callId"`
	ToolName string          `json:"toolName"`
	Result   json.RawMessage `json:"result"` // the server's JSON, to decode into the tool's type

	Extra map[string]json.RawMessage `json:"-"`
}
