package events_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/seed67206a74/parley/events"
)

func Example() {
	ev, err := events.Decode(events.KeyAIToken,
		[]byte(`{"chatId":"room-1","requestId":"r1","token":"Hi","index":0}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	switch ev := ev.(type) {
	case events.AIToken:
		fmt.Println(ev.RequestID, ev.Token)
	case events.AIMessage:
		fmt.Println(ev.RequestID, ev.Text)
	}
	// Output: r1 Hi
}

func ExampleDecode_missingField() {
	_, err := events.Decode(events.KeyAIToken, []byte(`{"index":0}`))
	fmt.Println(err)
	fmt.Println(errors.Is(err, events.ErrMissing))

	var failure *events.FieldError
	if errors.As(err, &failure) {
		fmt.Println(failure.Type, failure.Field)
	}
	// Output:
	// events: AIToken: field "token": required field is missing
	// true
	// AIToken token
}

func ExampleEvent() {
	stream := []events.Event{
		events.AIProcessing{Status: events.StatusWorking},
		events.AIToken{Token: "Hel"},
		events.AIToken{Token: "lo", Index: 1},
		events.AIMessage{MessageID: "m1", Role: "assistant", Text: "Hello"},
	}
	for _, ev := range stream {
		fmt.Println(ev.Key())
	}
	// Output:
	// AI_PROCESSING
	// AI_TOKEN
	// AI_TOKEN
	// AI_MESSAGE
}

func ExampleID() {
	var ids []events.ID
	if err := json.Unmarshal([]byte(`[5, "5", 9007199254740993, null]`), &ids); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(ids[0] == events.IntID(5), ids[1] == events.StringID("5"), ids[0] == ids[1])
	fmt.Println(ids[2], ids[3].IsZero())
	// Output:
	// true true false
	// 9007199254740993 true
}

func ExampleKeys() {
	names := make(map[events.Key]string)
	for key := range events.Keys() {
		names[key] = key.DefaultName()
	}
	fmt.Println(names[events.KeyAIToolCall])
	// Output: ai:tool_call
}

func ExampleUserMessage() {
	b, err := json.Marshal(events.UserMessage{
		MessageID: "m1",
		UserID:    events.StringID("u1"),
		Text:      "What is this?",
		Parts:     []events.Part{{Type: "image", Value: map[string]string{"url": "a.png"}}},
		Extra:     map[string]json.RawMessage{"lang": json.RawMessage(`"en"`)},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(string(b))
	// Output: {"messageId":"m1","userId":"u1","text":"What is this?","parts":[{"type":"image","value":{"url":"a.png"}}],"lang":"en"}
}

func ExampleRead() {
	b, err := json.Marshal(events.Read{
		UserID:     events.IntID(7),
		MessageIDs: []string{"m1", "m2"},
		ReadAt:     time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(string(b))
	// Output: {"userId":7,"messageIds":["m1","m2"],"readAt":"2026-03-04T05:06:07Z"}
}

func ExampleAIError() {
	err := fmt.Errorf("asking: %w", &events.AIError{Code: "rate_limit", Message: "slow down"})
	fmt.Println(err)

	var failure *events.AIError
	if errors.As(err, &failure) {
		fmt.Println(failure.Code)
	}
	// Output:
	// asking: ai error: rate_limit: slow down
	// rate_limit
}

func ExampleAIToolCall() {
	var call events.AIToolCall
	err := json.Unmarshal([]byte(`{"callId":"c1","toolName":"search","args":{"query":"go","limit":3}}`), &call)
	if err != nil {
		fmt.Println(err)
		return
	}

	var args struct {
		Query string
		Limit int
	}
	if err := json.Unmarshal(call.Args, &args); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(call.ToolName, args.Query, args.Limit)
	// Output: search go 3
}
