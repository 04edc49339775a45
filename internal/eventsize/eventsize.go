// Package eventsize estimates the memory of events, for limits.
package eventsize

import (
	"encoding/json"

	"github.com/seed67206a74/parley/events"
)

// The memory of an event beside its texts: the event itself in a slice or map,
// its map of further fields, and a slot of that map. About half of the slots of
// a map are free, and a small text uses more than its bytes.
const (
	eventMemory = 128
	extraMemory = 352
	fieldMemory = 128
	textMemory  = 16 // of a text in a slice
)

// Estimate returns the memory of an event in bytes. texts is the length of its
// own texts, and extra has its further fields.
func Estimate(e events.Envelope, texts int, extra map[string]json.RawMessage) int {
	return eventMemory + texts + len(e.RequestID) + len(e.TraceID) + len(e.ChatID.String()) + fields(extra)
}

func fields(extra map[string]json.RawMessage) (size int) {
	if len(extra) > 0 {
		size = extraMemory
	}
	for name, value := range extra {
		size += fieldMemory + len(name) + len(value)
	}
	return size
}

// Of returns the memory of an event of an answer in bytes.
func Of(event events.Event) int {
	texts, extra := 0, map[string]json.RawMessage(nil)
	switch event := event.(type) {
	case events.AIProcessing:
		texts, extra = len(event.Status)+len(event.Reason), event.Extra
	case events.AIToken:
		texts, extra = len(event.Token), event.Extra
	case events.AIToolCall:
		texts, extra = len(event.CallID)+len(event.ToolName)+len(event.Args), event.Extra
	case events.AIToolResult:
		texts, extra = len(event.CallID)+len(event.ToolName)+len(event.Result), event.Extra
	case events.AIError:
		texts, extra = len(event.Code)+len(event.Message)+len(event.Details), event.Extra
	case events.AIMessage:
		texts, extra = len(event.MessageID)+len(event.Role)+len(event.Text), event.Extra
		for _, option := range event.Options {
			texts += textMemory + len(option)
		}
		if event.Usage != nil {
			texts += eventMemory + fields(event.Usage.Extra)
		}
	}
	return Estimate(event.Envelope(), texts, extra)
}
