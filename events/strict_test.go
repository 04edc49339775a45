package events_test

import (
	stdjson "encoding/json"
	"reflect"

	"github.com/go-json-experiment/json"

	"github.com/seed67206a74/parley/events"
)

// The types of the server's events without their methods. A JSON package
// decodes them strictly: it knows none of the habits that the types accept.
type (
	strictChatMessage  events.ChatMessage
	strictPresence     events.Presence
	strictAIProcessing events.AIProcessing
	strictAIToken      events.AIToken
	strictAIMessage    events.AIMessage
	strictAIError      events.AIError
	strictAIToolCall   events.AIToolCall
	strictAIToolResult events.AIToolResult
)

// strictly decodes a payload as the contract defines it, without Extra. It
// returns nil if the payload differs from the contract.
func strictly(key events.Key, data []byte) events.Event {
	switch key {
	case events.KeyChatMessage:
		if p, ok := strictlyAs[strictChatMessage](data); ok {
			return events.ChatMessage(p)
		}
	case events.KeyPresenceUpdate:
		if p, ok := strictlyAs[strictPresence](data); ok {
			return events.Presence(p)
		}
	case events.KeyAIProcessing:
		if p, ok := strictlyAs[strictAIProcessing](data); ok {
			return events.AIProcessing(p)
		}
	case events.KeyAIToken:
		if p, ok := strictlyAs[strictAIToken](data); ok {
			return events.AIToken(p)
		}
	case events.KeyAIMessage:
		if p, ok := strictlyAs[strictAIMessage](data); ok {
			return events.AIMessage(p)
		}
	case events.KeyAIError:
		if p, ok := strictlyAs[strictAIError](data); ok {
			return events.AIError(p)
		}
	case events.KeyAIToolCall:
		if p, ok := strictlyAs[strictAIToolCall](data); ok {
			return events.AIToolCall(p)
		}
	case events.KeyAIToolResult:
		if p, ok := strictlyAs[strictAIToolResult](data); ok {
			return events.AIToolResult(p)
		}
	}
	return nil
}

func strictlyAs[T any](data []byte) (payload T, ok bool) {
	var members map[string]raw
	if json.Unmarshal(data, &members) != nil || json.Unmarshal(data, &payload) != nil {
		return payload, false
	}
	for name, f := range jsonFields(payload) {
		member, present := members[name]
		isNull := string(member) == "null"
		anyJSON := f.Type == rawType
		if isRequired(f) && (!present || isNull && !anyJSON) || present && isNull && !isRequired(f) {
			return payload, false
		}
	}
	return payload, true
}

// withoutExtra returns an event as strictly does.
func withoutExtra(ev events.Event) events.Event {
	switch ev := ev.(type) {
	case events.ChatMessage:
		ev.Extra = nil
		return ev
	case events.Presence:
		ev.Extra = nil
		return ev
	case events.AIProcessing:
		ev.Extra = nil
		return ev
	case events.AIToken:
		ev.Extra = nil
		return ev
	case events.AIMessage:
		ev.Extra = nil
		return ev
	case events.AIError:
		ev.Extra = nil
		return ev
	case events.AIToolCall:
		ev.Extra = nil
		return ev
	case events.AIToolResult:
		ev.Extra = nil
		return ev
	}
	return nil
}

var rawType = reflect.TypeFor[stdjson.RawMessage]()
