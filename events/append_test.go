package events_test

import (
	stdjson "encoding/json"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed67206a74/parley/events"
)

func TestAppendJSON_encodesEachType(t *testing.T) {
	for _, p := range contract {
		b, ok, err := events.AppendJSON([]byte("before "), p.value)
		require.NoError(t, err)
		require.True(t, ok)
		assert.JSONEq(t, p.json, string(b[len("before "):]))
	}
	for _, other := range []any{nil, 1, &events.Abort{}, struct{ events.Abort }{}} {
		b, ok, err := events.AppendJSON([]byte("x"), other)
		assert.NoError(t, err)
		assert.False(t, ok)
		assert.Equal(t, "x", string(b))
	}
}

func TestAppendJSON_keepsRawJSON(t *testing.T) {
	extra := map[string]raw{"a": raw(`{ "x" : 1.0, "x":"\u0061" }`), "b": nil, "text": raw(`"the field wins"`), "\xff": raw("\"\xff\"")}
	b, _, err := events.AppendJSON(nil, events.UserMessage{Text: "<&>", Extra: extra})
	require.NoError(t, err)
	assert.Equal(t, `{"messageId":"","userId":null,"text":"<&>","a":{ "x" : 1.0, "x":"\u0061" },"b":null,"`+"\ufffd\":\"\ufffd"+`"}`, string(b))
}

func TestAppendJSON_reportsInvalidValue(t *testing.T) {
	for _, payload := range []any{
		events.Abort{Extra: map[string]raw{"a": raw(`{`)}},
		events.UserMessage{Parts: []events.Part{{Value: make(chan int)}}},
		events.Read{ReadAt: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)},
	} {
		_, ok, err := events.AppendJSON(nil, payload)
		assert.True(t, ok)
		assert.Error(t, err)
	}
}

// FuzzAppendJSON compares AppendJSON with the JSON module for a struct with the
// same fields.
func FuzzAppendJSON(f *testing.F) {
	f.Add("m1", "u1", "a \"quoted\" \\ text\n", int64(-5), int64(1<<40))
	f.Add("", "\xff", "\u2028<&>\x00é", int64(0), int64(-1<<62))
	f.Fuzz(func(t *testing.T, id, user, text string, chat, at int64) {
		type plain struct {
			ChatID    int64            `json:"chatId"`
			MessageID string           `json:"messageId"`
			UserID    string           `json:"userId"`
			Text      string           `json:"text"`
			CreatedAt time.Time        `json:"createdAt"`
			Parts     []map[string]any `json:"parts"`
		}
		created := time.Unix(at%(1<<33), at%1e9).UTC() // a year of four digits, as JSON has
		want, err := json.Marshal(plain{chat, id, user, text, created, []map[string]any{{"value": text}}}, jsontext.AllowInvalidUTF8(true))
		require.NoError(t, err)
		got, ok, err := events.AppendJSON(nil, events.ChatMessage{
			ChatID: events.IntID(chat), MessageID: id, UserID: events.StringID(user), Text: text, CreatedAt: created,
			Extra: map[string]stdjson.RawMessage{"parts": mustMarshal(t, []map[string]any{{"value": text}})},
		})
		require.True(t, ok)
		require.NoError(t, err)
		require.Equal(t, string(want), string(got))
	})
}

func mustMarshal(t *testing.T, v any) []byte {
	b, err := json.Marshal(v, jsontext.AllowInvalidUTF8(true))
	require.NoError(t, err)
	return b
}
