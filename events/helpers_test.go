package events_test

import (
	"bytes"
	stdjson "encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"

	"github.com/seed67206a74/parley/events"
)

type raw = stdjson.RawMessage

// contract has a payload of each type, with all members of the contract and one
// other.
var contract = []struct {
	json  string
	value any
}{
	{
		`{"chatId":"room-1","traceId":"t1","requestId":"r1","messageId":"m1","userId":7,"text":"Look",
			"parts":[{"type":"image","value":{"url":"a.png","w":12345678901234567890}},{"type":"text","value":"caption"}],"lang":"en"}`,
		events.UserMessage{
			ChatID: events.StringID("room-1"), TraceID: "t1", RequestID: "r1",
			MessageID: "m1", UserID: events.IntID(7), Text: "Look",
			Parts: []events.Part{
				{Type: "image", Value: map[string]any{"url": "a.png", "w": stdjson.Number("12345678901234567890")}},
				{Type: "text", Value: "caption"},
			},
			Extra: map[string]raw{"lang": raw(`"en"`)},
		},
	},
	{`{"type":"file","value":[1.50,null]}`, events.Part{Type: "file", Value: []any{stdjson.Number("1.50"), nil}}},
	{
		`{"chatId":"room-1","traceId":"t1","requestId":"r1","userId":"u1","device":{"os":"plan9"}}`,
		events.Typing{
			ChatID: events.StringID("room-1"), TraceID: "t1", RequestID: "r1",
			UserID: events.StringID("u1"),
			Extra:  map[string]raw{"device": raw(`{"os":"plan9"}`)},
		},
	},
	{
		`{"chatId":5,"traceId":"t1","requestId":"r1","reason":"enough","hard":true}`,
		events.Abort{
			ChatID: events.IntID(5), TraceID: "t1", RequestID: "r1",
			Reason: "enough",
			Extra:  map[string]raw{"hard": raw(`true`)},
		},
	},
	{
		`{"chatId":"room-1","traceId":"t1","requestId":"r1","userId":"u1","messageIds":["m1","m2"],"readAt":"2026-03-04T05:06:07.123456789+05:31","x":[]}`,
		events.Read{
			ChatID: events.StringID("room-1"), TraceID: "t1", RequestID: "r1",
			UserID: events.StringID("u1"), MessageIDs: []string{"m1", "m2"},
			ReadAt: time.Date(2026, 3, 4, 5, 6, 7, 123456789, time.FixedZone("", 5*3600+31*60)),
			Extra:  map[string]raw{"x": raw(`[]`)},
		},
	},
	{
		`{"chatId":"room-1","traceId":"t1","requestId":"r1","messageId":"m1","userId":"u2","text":"Hi","createdAt":"2026-03-04T05:06:07Z","edited":false}`,
		events.ChatMessage{
			ChatID: events.StringID("room-1"), TraceID: "t1", RequestID: "r1",
			MessageID: "m1", UserID: events.StringID("u2"), Text: "Hi",
			CreatedAt: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC),
			Extra:     map[string]raw{"edited": raw(`false`)},
		},
	},
	{
		`{"chatId":"room-1","traceId":"t1","requestId":"r1","onlineUserIds":["u1",2,123456789012345678901234567890],"count":3}`,
		events.Presence{
			ChatID: events.StringID("room-1"), TraceID: "t1", RequestID: "r1",
			OnlineUserIDs: []events.ID{events.StringID("u1"), events.IntID(2), hugeID},
			Extra:         map[string]raw{"count": raw(`3`)},
		},
	},
	{
		`{"chatId":"room-1","traceId":"t1","requestId":"r1","status":"retrying","etaMs":12.5,"reason":"busy","attempt":2}`,
		events.AIProcessing{
			ChatID: events.StringID("room-1"), TraceID: "t1", RequestID: "r1",
			Status: events.StatusRetrying, EtaMs: 12.5, Reason: "busy",
			Extra: map[string]raw{"attempt": raw(`2`)},
		},
	},
	{
		`{"chatId":"room-1","traceId":"t1","requestId":"r1","token":"<b>","index":3,"done":true,"logprob":-0.25}`,
		events.AIToken{
			ChatID: events.StringID("room-1"), TraceID: "t1", RequestID: "r1",
			Token: "<b>", Index: 3, Done: true,
			Extra: map[string]raw{"logprob": raw(`-0.25`)},
		},
	},
	{
		`{"chatId":"room-1","traceId":"t1","requestId":"r1","messageId":"m2","role":"assistant","text":"Hello","createdAt":"2026-03-04T05:06:07.5-08:01",
			"usage":{"promptTokens":9007199254740993,"completionTokens":2,"totalTokens":9007199254740995,"cached":1},"options":["yes","no"],"model":"x"}`,
		events.AIMessage{
			ChatID: events.StringID("room-1"), TraceID: "t1", RequestID: "r1",
			MessageID: "m2", Role: "assistant", Text: "Hello",
			CreatedAt: time.Date(2026, 3, 4, 5, 6, 7, 500000000, time.FixedZone("", -(8*3600+60))),
			Usage: &events.Usage{
				PromptTokens: 9007199254740993, CompletionTokens: 2, TotalTokens: 9007199254740995,
				Extra: map[string]raw{"cached": raw(`1`)},
			},
			Options: []string{"yes", "no"},
			Extra:   map[string]raw{"model": raw(`"x"`)},
		},
	},
	{
		`{"promptTokens":1,"completionTokens":2,"totalTokens":3,"cost":0.10}`,
		events.Usage{
			PromptTokens: 1, CompletionTokens: 2, TotalTokens: 3,
			Extra: map[string]raw{"cost": raw(`0.10`)},
		},
	},
	{
		`{"chatId":"room-1","traceId":"t1","requestId":"r1","code":"rate_limit","message":"slow down","details":{"retry":1e3},"fatal":false}`,
		events.AIError{
			ChatID: events.StringID("room-1"), TraceID: "t1", RequestID: "r1",
			Code: "rate_limit", Message: "slow down", Details: raw(`{"retry":1e3}`),
			Extra: map[string]raw{"fatal": raw(`false`)},
		},
	},
	{
		`{"chatId":"room-1","traceId":"t1","requestId":"r1","callId":"c1","toolName":"search","args":{"id":18446744073709551617},"step":1}`,
		events.AIToolCall{
			ChatID: events.StringID("room-1"), TraceID: "t1", RequestID: "r1",
			CallID: "c1", ToolName: "search", Args: raw(`{"id":18446744073709551617}`),
			Extra: map[string]raw{"step": raw(`1`)},
		},
	},
	{
		`{"chatId":"room-1","traceId":"t1","requestId":"r1","callId":"c1","toolName":"search","result":[1,"two"],"ms":7}`,
		events.AIToolResult{
			ChatID: events.StringID("room-1"), TraceID: "t1", RequestID: "r1",
			CallID: "c1", ToolName: "search", Result: raw(`[1,"two"]`),
			Extra: map[string]raw{"ms": raw(`7`)},
		},
	},
}

var hugeID = func() (id events.ID) {
	if err := id.UnmarshalJSON([]byte(`123456789012345678901234567890`)); err != nil {
		panic(err)
	}
	return id
}()

// codecs are the ways to decode and encode the types.
var codecs = []codec{
	{"encoding/json", stdjson.Marshal, stdjson.Unmarshal},
	{
		"go-json-experiment",
		func(v any) ([]byte, error) { return json.Marshal(v) },
		func(b []byte, v any) error { return json.Unmarshal(b, v) },
	},
	{"long-lived", encodeOnOneEncoder, decodeOnOneDecoder},
}

var (
	browserRules = json.JoinOptions(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))

	input   bytes.Buffer
	decoder = jsontext.NewDecoder(&input, browserRules)

	output  bytes.Buffer
	encoder = jsontext.NewEncoder(&output, browserRules)
)

// decodeOnOneDecoder decodes as a connection does: one decoder and its buffer
// are used for all payloads.
func decodeOnOneDecoder(b []byte, v any) error {
	input.Reset()
	input.Write(b)
	decoder.Reset(&input, browserRules)
	return json.UnmarshalDecode(decoder, v)
}

func encodeOnOneEncoder(v any) ([]byte, error) {
	output.Reset()
	encoder.Reset(&output, browserRules)
	err := json.MarshalEncode(encoder, v)
	return bytes.Clone(output.Bytes()), err
}

// eachCodec runs a test for every codec.
func eachCodec(t *testing.T, test func(t *testing.T, c codec)) {
	for _, c := range codecs {
		t.Run(c.name, func(t *testing.T) { test(t, c) })
	}
}

// eachPayload runs a test for every type of the contract and every codec.
func eachPayload(t *testing.T, test func(t *testing.T, payload string, value any, c codec)) {
	for _, p := range contract {
		for _, c := range codecs {
			t.Run(typeName(p.value)+"/"+c.name, func(t *testing.T) { test(t, p.json, p.value, c) })
		}
	}
}

type codec struct {
	name      string
	marshal   func(any) ([]byte, error)
	unmarshal func([]byte, any) error
}

func typeName(v any) string { return reflect.TypeOf(v).Name() }

// decodeAs decodes payload into a new value of example's type.
func decodeAs(c codec, payload string, example any) (any, error) {
	v := reflect.New(reflect.TypeOf(example))
	err := c.unmarshal([]byte(payload), v.Interface())
	return v.Elem().Interface(), err
}

// jsonFields returns the fields of example's type by their names in JSON.
func jsonFields(example any) map[string]reflect.StructField {
	fields := make(map[string]reflect.StructField)
	for _, f := range reflect.VisibleFields(reflect.TypeOf(example)) {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "-" {
			fields[name] = f
		}
	}
	return fields
}

func isRequired(f reflect.StructField) bool {
	return !strings.HasSuffix(f.Tag.Get("json"), ",omitzero")
}

// isNeeded reports whether a payload without the field cannot be used.
func isNeeded(f reflect.StructField) bool {
	return isRequired(f) && !strings.Contains(f.Tag.Get("read"), "missing")
}

// with returns payload with the member name set to value, or without it if
// value is empty.
func with(t *testing.T, payload, name, value string) string {
	members := make(map[string]raw)
	require.NoError(t, stdjson.Unmarshal([]byte(payload), &members))
	delete(members, name)
	if value != "" {
		members[name] = raw(value)
	}
	b, err := stdjson.Marshal(members)
	require.NoError(t, err)
	return string(b)
}
