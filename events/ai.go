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
	TraceID   string `json:"traceId,omitzero" read:"number"`
	RequestID string `json:"requestId,omitzero" read:"number"`

	Status Status  `json:"status" enum:"queued|working|retrying"`
	EtaMs  float64 `json:"etaMs,omitzero"` // estimated milliseconds until the answer
	Reason string  `json:"reason,omitzero"`

	Extra map[string]json.RawMessage `json:"-"`
}

// AIToken is the next piece of a streamed answer.
type AIToken struct {
	ChatID    ID     `json:"chatId,omitzero"`
	TraceID   string `json:"traceId,omitzero" read:"number"`
	RequestID string `json:"requestId,omitzero" read:"number"`

	Token string `json:"token"`
	// Index is the token's position in its answer. It is -1 if the server sends
	// none.
	Index int `json:"index" read:"missing=-1"`
	// Done is false in the contract. An AIMessage ends the answer.
	Done bool `json:"done,omitzero" enum:"false"`

	Extra map[string]json.RawMessage `json:"-"`
}

// AIMessage is the complete answer. It ends the turn.
type AIMessage struct {
	ChatID    ID     `json:"chatId,omitzero"`
	TraceID   string `json:"traceId,omitzero" read:"number"`
	RequestID string `json:"requestId,omitzero" read:"number"`

	MessageID string    `json:"messageId" read:"number"`
	Role      string    `json:"role" enum:"assistant" read:"missing"`
	Text      string    `json:"text"`
	CreatedAt time.Time `json:"createdAt" read:"missing"`
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

// AIError reports that the answer failed. It ends the turn. Both AIError and
// *AIError are errors, and errors.As finds either of them as both types.
type AIError struct {
	ChatID    ID     `json:"chatId,omitzero"`
	TraceID   string `json:"traceId,omitzero" read:"number"`
	RequestID string `json:"requestId,omitzero" read:"number"`

	Code    string          `json:"code,omitzero" read:"number,or=error.code"`
	Message string          `json:"message" read:"missing,or=error,or=error.message,payload"`
	Details json.RawMessage `json:"details,omitzero"` // nil without details

	Extra map[string]json.RawMessage `json:"-"`
}

// Error returns "ai error: code: message", or "ai error: message" without a
// code.
func (p AIError) Error() string {
	if p.Code == "" {
		return "ai error: " + p.Message
	}
	return "ai error: " + p.Code + ": " + p.Message
}

// As sets target, a *AIError or a **AIError, for errors.As.
func (p AIError) As(target any) bool {
	switch target := target.(type) {
	case *AIError:
		*target = p
	case **AIError:
		*target = &p
	default:
		return false
	}
	return true
}

// AIToolCall reports that the AI calls a tool.
type AIToolCall struct {
	ChatID    ID     `json:"chatId,omitzero"`
	TraceID   string `json:"traceId,omitzero" read:"number"`
	RequestID string `json:"requestId,omitzero" read:"number"`

	CallID   string `json:"callId" read:"number"`
	ToolName string `json:"toolName"`
	// Args is the server's JSON, to decode into the tool's type. It is null if
	// the server sends none.
	Args json.RawMessage `json:"args" read:"missing=null"`

	Extra map[string]json.RawMessage `json:"-"`
}

// AIToolResult reports the result of a tool. CallID is that of the call.
type AIToolResult struct {
	ChatID    ID     `json:"chatId,omitzero"`
	TraceID   string `json:"traceId,omitzero" read:"number"`
	RequestID string `json:"requestId,omitzero" read:"number"`

	CallID   string `json:"callId" read:"number"`
	ToolName string `json:"toolName"`
	// Result is the server's JSON, to decode into the tool's type. It is null
	// if the server sends none.
	Result json.RawMessage `json:"result" read:"missing=null"`

	Extra map[string]json.RawMessage `json:"-"`
}
