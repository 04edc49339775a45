package events_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed67206a74/parley/events"
)

// habits are payloads of existing backends that differ from the contract.
var habits = []struct {
	name string
	key  events.Key
	json string
	want events.Event
	left string // the field that is left out and reported
}{
	{
		"ids are numbers", events.KeyAIToolCall,
		`{"requestId":17,"traceId":9007199254740993,"callId":-3,"toolName":"clock","args":{}}`,
		events.AIToolCall{RequestID: "17", TraceID: "9007199254740993", CallID: "-3", ToolName: "clock", Args: raw(`{}`)}, "",
	},
	{
		"messageId is a number", events.KeyChatMessage,
		`{"messageId":1.5e3,"userId":"7","text":"hi","createdAt":"2026-03-04T05:06:07Z"}`,
		events.ChatMessage{MessageID: "1.5e3", UserID: events.StringID("7"), Text: "hi", CreatedAt: at(0)}, "",
	},
	{
		"createdAt is missing", events.KeyChatMessage, `{"messageId":"m","userId":7,"text":"hi"}`,
		events.ChatMessage{MessageID: "m", UserID: events.IntID(7), Text: "hi"}, "",
	},
	{
		"createdAt is unreadable", events.KeyChatMessage, `{"messageId":"m","userId":7,"text":"hi","createdAt":"yesterday"}`,
		events.ChatMessage{MessageID: "m", UserID: events.IntID(7), Text: "hi"}, "createdAt",
	},
	{
		"counts are fractions and strings", events.KeyAIMessage,
		`{"messageId":"m","role":"assistant","text":"hi","createdAt":"2026-03-04T05:06:07Z",
			"usage":{"promptTokens":12.0,"completionTokens":" 7 ","totalTokens":"18.6"}}`,
		events.AIMessage{MessageID: "m", Role: "assistant", Text: "hi", CreatedAt: at(0),
			Usage: &events.Usage{PromptTokens: 12, CompletionTokens: 7, TotalTokens: 19}}, "",
	},
	{
		"a count is unreadable", events.KeyAIMessage,
		`{"messageId":"m","role":"assistant","text":"hi","createdAt":"2026-03-04T05:06:07Z","usage":{"promptTokens":"many","totalTokens":3}}`,
		events.AIMessage{MessageID: "m", Role: "assistant", Text: "hi", CreatedAt: at(0), Usage: &events.Usage{TotalTokens: 3}},
		"usage.promptTokens",
	},
	{
		"a count is out of range", events.KeyAIMessage, `{"messageId":"m","role":"assistant","text":"hi","usage":{"totalTokens":1e30}}`,
		events.AIMessage{MessageID: "m", Role: "assistant", Text: "hi", Usage: &events.Usage{}}, "usage.totalTokens",
	},
	{
		"an optional field is of the wrong type", events.KeyAIMessage,
		`{"chatId":{"id":1},"messageId":"m","role":"assistant","text":"hi","usage":[],"options":["yes",true]}`,
		events.AIMessage{MessageID: "m", Role: "assistant", Text: "hi"}, "chatId",
	},
	{"role is missing", events.KeyAIMessage, `{"messageId":"m","text":"hi"}`, events.AIMessage{MessageID: "m", Text: "hi"}, ""},
	{"an error is a string", events.KeyAIError, `"overloaded \ud83d"`, events.AIError{Message: "overloaded \ufffd"}, ""},
	{
		"an error has the member error", events.KeyAIError, `{"requestId":"r1","error":"overloaded"}`,
		events.AIError{RequestID: "r1", Message: "overloaded", Extra: map[string]raw{"error": raw(`"overloaded"`)}}, "",
	},
	{
		"an error is an object", events.KeyAIError, `{"error":{"message":"overloaded","code":529}}`,
		events.AIError{Code: "529", Message: "overloaded", Extra: map[string]raw{"error": raw(`{"message":"overloaded","code":529}`)}}, "",
	},
	{"an error has a numeric code", events.KeyAIError, `{"code":429,"message":"slow down"}`, events.AIError{Code: "429", Message: "slow down"}, ""},
	{
		"an error has both message and error", events.KeyAIError, `{"error":true,"message":"slow down"}`,
		events.AIError{Message: "slow down", Extra: map[string]raw{"error": raw(`true`)}}, "",
	},
	{"an error has no text", events.KeyAIError, `{"code":"E","error":7}`, events.AIError{Code: "E", Extra: map[string]raw{"error": raw(`7`)}}, ""},
	{"args are missing", events.KeyAIToolCall, `{"callId":"c","toolName":"clock"}`, events.AIToolCall{CallID: "c", ToolName: "clock", Args: raw(`null`)}, ""},
	{"result is missing", events.KeyAIToolResult, `{"callId":"c","toolName":"clock"}`, events.AIToolResult{CallID: "c", ToolName: "clock", Result: raw(`null`)}, ""},
	{"index is missing", events.KeyAIToken, `{"token":"a"}`, events.AIToken{Token: "a", Index: -1}, ""},
	{"index is unreadable", events.KeyAIToken, `{"token":"a","index":"zero"}`, events.AIToken{Token: "a", Index: -1}, "index"},
}

func TestDecode_acceptsHabitsOfBackends(t *testing.T) {
	for _, habit := range habits {
		t.Run(habit.name, func(t *testing.T) {
			got, err := events.Decode(habit.key, []byte(habit.json))
			assert.Equal(t, habit.want, got)
			if habit.left == "" {
				assert.NoError(t, err)
				return
			}
			var failed *events.FieldError
			require.ErrorAs(t, err, &failed)
			assert.Equal(t, habit.left, failed.Field)
			assert.True(t, failed.Partial)
			assert.Nil(t, strictly(habit.key, []byte(habit.json)), "the contract does not allow it")
		})
	}
}

func TestDecode_readsTimeInEveryForm(t *testing.T) {
	for _, tc := range []struct {
		json string
		want time.Time
	}{
		{`"2026-03-04T05:06:07Z"`, at(0)},
		{`"2026-03-04T05:06:07"`, at(0)},
		{`"2026-03-04T05:06:07.123456789"`, at(123456789)},
		{`"2026-03-04 05:06:07"`, at(0)},
		{`"2026-03-04 05:06:07.25+00:00"`, at(250000000)},
		{`1772600767`, at(0)},
		{`1772600767.25`, at(250000000)},
		{`1772600767123`, at(123000000)},
		{`"1772600767123"`, at(123000000)},
		{`1.772600767e9`, at(0)},
		{`0`, time.Unix(0, 0).UTC()},
		{`-1`, time.Unix(-1, 0).UTC()},
	} {
		t.Run(tc.json, func(t *testing.T) {
			got, err := events.Decode(events.KeyChatMessage, []byte(`{"messageId":"m","userId":1,"text":"","createdAt":`+tc.json+`}`))
			require.NoError(t, err)
			assert.True(t, tc.want.Equal(got.(events.ChatMessage).CreatedAt), got)
		})
	}
	for _, unreadable := range []string{`1e300`, `1e15`, `""`, `"NaN"`, `"0x10"`, `"2026-13-01T00:00:00"`, `true`, `{}`} {
		t.Run(unreadable, func(t *testing.T) {
			got, err := events.Decode(events.KeyChatMessage, []byte(`{"messageId":"m","userId":1,"text":"","createdAt":`+unreadable+`}`))
			var failed *events.FieldError
			require.ErrorAs(t, err, &failed)
			assert.True(t, failed.Partial)
			assert.Zero(t, got.(events.ChatMessage).CreatedAt)
		})
	}
}

func TestAIError_isFoundByValueAndByPointer(t *testing.T) {
	failure := events.AIError{Code: "E", Message: "overloaded"}
	for name, err := range map[string]error{"value": failure, "pointer": &failure} {
		t.Run(name, func(t *testing.T) {
			err = fmt.Errorf("answer: %w", err)
			assert.EqualError(t, err, "answer: ai error: E: overloaded")
			var value events.AIError
			require.ErrorAs(t, err, &value)
			assert.Equal(t, failure, value)
			var pointer *events.AIError
			require.ErrorAs(t, err, &pointer)
			assert.Equal(t, failure, *pointer)
			assert.NotErrorIs(t, err, errors.ErrUnsupported)
			var field *events.FieldError
			assert.False(t, errors.As(err, &field))
		})
	}
}

func TestID_sameComparesText(t *testing.T) {
	assert.True(t, events.IntID(42).Same(events.StringID("42")))
	assert.True(t, events.ID{}.Same(events.ID{}))
	assert.False(t, events.IntID(42).Same(events.StringID("042")))
	assert.False(t, events.ID{}.Same(events.StringID("")))
}

// at returns 2026-03-04T05:06:07Z and some nanoseconds.
func at(nanoseconds int) time.Time { return time.Date(2026, 3, 4, 5, 6, 7, nanoseconds, time.UTC) }
