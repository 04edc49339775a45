package events

import (
	"encoding/json"
	"time"
)

// Status is how far the server is with an answer. One that is none of the
// constants is passed on as it came.
type Status string

// The statuses of the contract.
const (
	StatusQueued   Status = "queued"
	StatusWorking  Status = "working"
	StatusRetrying Status = "retrying"
)

// AIProcessing says that the answer is on its way.
type AIProcessing struct {
	ChatID    ID     `json:"chatId,omitzero"`
	TraceID   string `json:"traceId,omitzero"`
	RequestID string `json:"requestId,omitzero"`

	Status Status  `json:"status" enum:"queued|working|retrying"`
	EtaMs  float64 `json:"etaMs,omitzero"` // milliseconds until the answer, as the server guesses
	Reason string  `json:"reason,omitzero"`

	Extra map[string]json.RawMessage `json:"-"`
}

// AIToken is the next piece of an answer that is being written.
type AIToken struct {
	ChatID    ID     `json:"chatId,omitzero"`
	TraceID   string `json:"traceId,omitzero"`
	RequestID string `json:"requestId,omitzero"`

	Token string `json:"token"`
	Index int    `json:"index"`                      // the token's place in its answer
	Done  bool   `json:"done,omitzero" enum:"false"` // false in the contract: an AIMessage ends the answer

	Extra map[string]json.RawMessage `json:"-"`
}

// AIMessage is an answer in full. It ends the turn.
type AIMessage struct {
	ChatID    ID     `json:"chatId,omitzero"`
	TraceID   string `json:"traceId,omitzero"`
	RequestID string `json:"requestId,omitzero"`

	MessageID string    `json:"messageId"`
	Role      string    `json:"role" enum:"assistant"`
	Text      string    `json:"text"`
	CreatedAt time.Time `json:"createdAt"`
	Usage     *Usage    `json:"usage,omitzero"`   // nil if the server does not say
	Options   []string  `json:"options,omitzero"` // replies that the user may choose from

	Extra map[string]json.RawMessage `json:"-"`
}

// Usage is what an answer cost, in tokens. A count that the server does not
// give is 0.
type Usage struct {
	PromptTokens     int64 `json:"promptTokens,omitzero"`
	CompletionTokens int64 `json:"completionTokens,omitzero"`
	TotalTokens      int64 `json:"totalTokens,omitzero"`

	Extra map[string]json.RawMessage `json:"-"`
}

// AIError says that the answer has failed. It ends the turn. *AIError is an
// error: errors.As finds one through a variable of type *AIError.
type AIError struct {
	ChatID    ID     `json:"chatId,omitzero"`
	TraceID   string `json:"traceId,omitzero"`
	RequestID string `json:"requestId,omitzero"`

	Code    string          `json:"code,omitzero"`
	Message string          `json:"message"`
	Details json.RawMessage `json:"details,omitzero"` // nil without details

	Extra map[string]json.RawMessage `json:"-"`
}

// Error is "ai error: code: message", or "ai error: message" without a code.
func (p *AIError) Error() string {
	if p.Code == "" {
		return "ai error: " + p.Message
	}
	return "ai error: " + p.Code + ": " + p.Message
}

// AIToolCall says that the AI has called a tool.
type AIToolCall struct {
	ChatID    ID     `json:"chatId,omitzero"`
	TraceID   string `json:"traceId,omitzero"`
	RequestID string `json:"requestId,omitzero"`

	CallID   string          `json:"callId"`
	ToolName string          `json:"toolName"`
	Args     json.RawMessage `json:"args"` // as the server wrote it, to decode into a type of your own

	Extra map[string]json.RawMessage `json:"-"`
}

// AIToolResult says what a tool has returned. CallID is that of the call.
type AIToolResult struct {
	ChatID    ID     `json:"chatId,omitzero"`
	TraceID   string `json:"traceId,omitzero"`
	RequestID string `json:"requestId,omitzero"`

	CallID   string          `json:"callId"`
	ToolName string          `json:"toolName"`
	Result   json.RawMessage `json:"result"` // as the server wrote it, to decode into a type of your own

	Extra map[string]json.RawMessage `json:"-"`
}
