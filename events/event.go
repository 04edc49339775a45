package events

import "fmt"

// Event is an event from a chat backend. Its type is one of [ChatMessage],
// [Presence], [AIProcessing], [AIToken], [AIMessage], [AIError], [AIToolCall]
// and [AIToolResult], not a pointer. Other packages cannot implement Event, so
// a type switch over these eight is complete.
type Event interface {
	// Key returns the key of the event's type.
	Key() Key
	// Envelope returns the fields that all payloads share.
	Envelope() Envelope

	isEvent()
}

// Envelope has the fields that all payloads share: the chat, the trace and the
// request that a payload belongs to. A field that the payload leaves out is
// zero.
type Envelope struct {
	ChatID    ID
	TraceID   string
	RequestID string
}

// Decode decodes the JSON payload of an event from the server into the type
// that belongs to key. The error is a *[FieldError] if data is JSON that does
// not fit the type, and a *jsontext.SyntacticError if it is not JSON. Decode
// also fails if no event from the server has the key.
//
// If the FieldError is Partial, Decode returns the event as well, without the
// fields that do not fit.
//
// Of members with the same name the last one counts, as in a browser, and
// invalid Unicode is decoded as U+FFFD. Decode does not keep data.
func Decode(key Key, data []byte) (Event, error) {
	switch key {
	case KeyChatMessage:
		return decode[ChatMessage](data)
	case KeyPresenceUpdate:
		return decode[Presence](data)
	case KeyAIProcessing:
		return decode[AIProcessing](data)
	case KeyAIToken:
		return decode[AIToken](data)
	case KeyAIMessage:
		return decode[AIMessage](data)
	case KeyAIError:
		return decode[AIError](data)
	case KeyAIToolCall:
		return decode[AIToolCall](data)
	case KeyAIToolResult:
		return decode[AIToolResult](data)
	default:
		return nil, fmt.Errorf("events: the server sends no event with the key %q", key)
	}
}

func decode[T Event](data []byte) (Event, error) {
	var ev T
	err := unmarshal(data, &ev)
	if err != nil {
		if failed, ok := err.(*FieldError); !ok || !failed.Partial {
			return nil, err
		}
	}
	return ev, err
}

func (ChatMessage) Key() Key  { return KeyChatMessage }
func (Presence) Key() Key     { return KeyPresenceUpdate }
func (AIProcessing) Key() Key { return KeyAIProcessing }
func (AIToken) Key() Key      { return KeyAIToken }
func (AIMessage) Key() Key    { return KeyAIMessage }
func (AIError) Key() Key      { return KeyAIError }
func (AIToolCall) Key() Key   { return KeyAIToolCall }
func (AIToolResult) Key() Key { return KeyAIToolResult }

func (p ChatMessage) Envelope() Envelope  { return Envelope{p.ChatID, p.TraceID, p.RequestID} }
func (p Presence) Envelope() Envelope     { return Envelope{p.ChatID, p.TraceID, p.RequestID} }
func (p AIProcessing) Envelope() Envelope { return Envelope{p.ChatID, p.TraceID, p.RequestID} }
func (p AIToken) Envelope() Envelope      { return Envelope{p.ChatID, p.TraceID, p.RequestID} }
func (p AIMessage) Envelope() Envelope    { return Envelope{p.ChatID, p.TraceID, p.RequestID} }
func (p AIError) Envelope() Envelope      { return Envelope{p.ChatID, p.TraceID, p.RequestID} }
func (p AIToolCall) Envelope() Envelope   { return Envelope{p.ChatID, p.TraceID, p.RequestID} }
func (p AIToolResult) Envelope() Envelope { return Envelope{p.ChatID, p.TraceID, p.RequestID} }

func (ChatMessage) isEvent()  {}
func (Presence) isEvent()     {}
func (AIProcessing) isEvent() {}
func (AIToken) isEvent()      {}
func (AIMessage) isEvent()    {}
func (AIError) isEvent()      {}
func (AIToolCall) isEvent()   {}
func (AIToolResult) isEvent() {}
