package chat

import (
	"encoding/json"

	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/eventsize"
)

const goroutineMemory = 8 << 10 // of a tool call

// memory estimates the memory of an event in bytes. texts is the length of its
// own texts.
func memory(e events.Envelope, texts int, extra map[string]json.RawMessage) int {
	return eventsize.Estimate(e, texts, extra)
}

func tokenMemory(t *events.AIToken) int {
	return memory(t.Envelope(), 2*len(t.Token), t.Extra) // also in the text of the answer
}

func toolCallMemory(c events.AIToolCall) int {
	return memory(c.Envelope(), len(c.CallID)+len(c.ToolName)+len(c.Args), c.Extra)
}
