package events_test

import (
	stdjson "encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed67206a74/parley/events"
)

func TestFieldError_namesFieldAndReason(t *testing.T) {
	const message = `{"messageId":"m","role":"assistant","text":"",`
	for _, tc := range []struct {
		name    string
		key     events.Key
		payload string
		want    string
	}{
		{"missing field", events.KeyAIToken, `{"index":1}`, `events: AIToken: field "token": required field is missing`},
		{"wrong type", events.KeyAIToken, `{"token":1,"index":1}`, `events: AIToken: field "token": want a string, got a number`},
		{
			"fraction", events.KeyAIToken, `{"token":"a","index":1.0}`,
			`events: AIToken: field "index": want an integer, got a number with a fraction or an exponent`,
		},
		{"array", events.KeyAIToken, `[]`, `events: AIToken: want an object, got an array`},
		{
			"time", events.KeyAIMessage, message + `"createdAt":"yesterday","usage":{"totalTokens":false}}`,
			`events: AIMessage: field "createdAt": want a time in RFC 3339 format`,
		},
		{
			"missing field after a wrong optional one", events.KeyAIMessage, `{"chatId":[],"messageId":"m"}`,
			`events: AIMessage: field "text": required field is missing`,
		},
		{
			"nested field", events.KeyAIMessage, message + `"createdAt":"2026-03-04T05:06:07Z","usage":{"totalTokens":false}}`,
			`events: AIMessage: field "usage.totalTokens": want an integer, got a boolean`,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := events.Decode(tc.key, []byte(tc.payload))
			assert.EqualError(t, err, tc.want)
		})
	}

	var msg events.UserMessage
	assert.EqualError(t,
		stdjson.Unmarshal([]byte(`{"messageId":"m","userId":1,"text":"","parts":[{"type":"a","value":1},{"value":2}]}`), &msg),
		`events: UserMessage: field "parts[1].type": required field is missing`)
	assert.EqualError(t,
		stdjson.Unmarshal([]byte(`{"messageId":"m","userId":1,"text":"","parts":[7]}`), &msg),
		`events: UserMessage: field "parts[0]": want an object, got a number`)
}

func TestPayload_decodeReplacesPreviousValue(t *testing.T) {
	eachCodec(t, func(t *testing.T, c codec) {
		var token events.AIToken
		require.NoError(t, c.unmarshal([]byte(`{"chatId":"c","token":"a","index":1,"done":true,"x":1}`), &token))
		first := token
		require.NoError(t, c.unmarshal([]byte(`{"token":"b","index":2,"y":2}`), &token))

		assert.Equal(t, events.AIToken{Token: "b", Index: 2, Extra: map[string]raw{"y": raw(`2`)}}, token)
		assert.Equal(t, map[string]raw{"x": raw(`1`)}, first.Extra, "a copy is not changed")
	})
}

func TestDecode_sharesNoMemoryWithInput(t *testing.T) {
	payload := []byte(`{"callId":"c1","toolName":"search","args":{"q":"go"},"step":[1]}`)
	ev, err := events.Decode(events.KeyAIToolCall, payload)
	require.NoError(t, err)
	clear(payload)

	assert.Equal(t, events.AIToolCall{
		CallID: "c1", ToolName: "search", Args: raw(`{"q":"go"}`), Extra: map[string]raw{"step": raw(`[1]`)},
	}, ev)
}

func TestFieldError_leavesDecoderAtNextPayload(t *testing.T) {
	stream := jsontext.NewDecoder(strings.NewReader(`{"index":"bad","token":{"a":[1]}} {"token":"good","index":1}`))
	var token events.AIToken

	err := json.UnmarshalDecode(stream, &token)
	_, isFieldError := errors.AsType[*events.FieldError](err)
	require.True(t, isFieldError, err)

	require.NoError(t, json.UnmarshalDecode(stream, &token))
	assert.Equal(t, "good", token.Token)
	assert.ErrorIs(t, json.UnmarshalDecode(stream, &token), io.EOF)
}

func TestPayload_nestsInOtherTypes(t *testing.T) {
	type frame struct {
		Event string           `json:"event"`
		Data  *events.AIToken  `json:"data"`
		More  []events.AIToken `json:"more"`
	}
	const payload = `{"event":"ai:token","data":{"token":"a","index":1,"x":1},"more":[{"token":"b","index":2}]}`
	eachCodec(t, func(t *testing.T, c codec) {
		var f frame
		require.NoError(t, c.unmarshal([]byte(payload), &f))
		assert.Equal(t, frame{
			Event: "ai:token",
			Data:  &events.AIToken{Token: "a", Index: 1, Extra: map[string]raw{"x": raw(`1`)}},
			More:  []events.AIToken{{Token: "b", Index: 2}},
		}, f)
		b, err := c.marshal(f)
		require.NoError(t, err)
		assert.JSONEq(t, payload, string(b))
	})
}

func TestAIToken_decodeAllocatesOnlyStrings(t *testing.T) {
	payload := []byte(`{"chatId":"room-1","token":"h\u00e9llo ","index":12,"requestId":"req-1234"}`)
	var token events.AIToken
	allocations := testing.AllocsPerRun(100, func() {
		if err := decodeOnOneDecoder(payload, &token); err != nil {
			t.Fatal(err)
		}
	})
	assert.Equal(t, 3.0, allocations)
}

func TestPayload_decodesInsideArray(t *testing.T) {
	frame := jsontext.NewDecoder(strings.NewReader(`["ai:token",{"token":"a","index":1},"offset"]`), browserRules)
	for range 2 { // the bracket and the name
		_, err := frame.ReadToken()
		require.NoError(t, err)
	}
	var token events.AIToken
	require.NoError(t, json.UnmarshalDecode(frame, &token))
	assert.Equal(t, events.AIToken{Token: "a", Index: 1}, token)

	offset, err := frame.ReadToken()
	require.NoError(t, err)
	assert.Equal(t, "offset", offset.String())
}
