package chat

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

	goroutineMemory = 8 << 10 // of a tool call
)

// memory estimates the memory of an event in bytes. texts is the length of its
// own texts.
func memory(e events.Envelope, texts int, extra map[string]json.RawMessage) int {
	size := eventMemory + texts + len(e.RequestID) + len(e.TraceID) + len(e.ChatID.String())
	if len(extra) == 0 {
		return size
	}
	size += extraMemory
	for name, value := range extra {
		size += fieldMemory + len(name) + len(value)
	}
	return size
}

func tokenMemory(t *events.AIToken) int {
	return memory(t.Envelope(), 2*len(t.Token), t.Extra) // also in the text of the answer
}

func toolCallMemory(c events.AIToolCall) int {
	return memory(c.Envelope(), len(c.CallID)+len(c.ToolName)+len(c.Args), c.Extra)
}
