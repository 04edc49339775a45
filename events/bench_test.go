package events_test

import (
	"bytes"
	stdjson "encoding/json"
	"strconv"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/seed67206a74/parley/events"
)

// Types to compare with: go-json-experiment decodes a token's fields without
// the package's checks, such as for required fields.
type (
	plainToken struct {
		ChatID    events.ID `json:"chatId,omitzero"`
		TraceID   string    `json:"traceId,omitzero"`
		RequestID string    `json:"requestId,omitzero"`
		Token     string    `json:"token"`
		Index     int       `json:"index"`
		Done      bool      `json:"done,omitzero"`

		Extra map[string]stdjson.RawMessage `json:",embed"`
	}
	plainTokenStringID struct {
		ChatID    string `json:"chatId,omitzero"`
		TraceID   string `json:"traceId,omitzero"`
		RequestID string `json:"requestId,omitzero"`
		Token     string `json:"token"`
		Index     int    `json:"index"`
		Done      bool   `json:"done,omitzero"`

		Extra map[string]stdjson.RawMessage `json:",embed"`
	}
)

func BenchmarkDecodeToken(b *testing.B) {
	b.Run("AIToken", decodeTokens[events.AIToken])
	b.Run("PlainStruct", decodeTokens[plainToken])
	b.Run("PlainStructStringID", decodeTokens[plainTokenStringID])
}

// decodeTokens decodes tokens of one answer with one decoder, as a connection
// does.
func decodeTokens[T any](b *testing.B) {
	payloads := make([][]byte, 1024)
	for i := range payloads {
		payloads[i] = []byte(`{"chatId":"room-1","token":"tok` + strconv.Itoa(i) + ` ","index":12,"requestId":"req-1234"}`)
	}
	var (
		frame   bytes.Buffer
		options = json.JoinOptions(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
		dec     = jsontext.NewDecoder(&frame, options)
		token   T
		i       int
	)
	b.ReportAllocs()
	for b.Loop() {
		frame.Reset()
		frame.Write(payloads[i%len(payloads)])
		i++
		dec.Reset(&frame, options)
		if err := json.UnmarshalDecode(dec, &token); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	payload := []byte(`{"chatId":"room-1","token":"hello ","index":12,"requestId":"req-1234"}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := events.Decode(events.KeyAIToken, payload); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkUnmarshalCommon decodes tokens of the common form.
func BenchmarkUnmarshalCommon(b *testing.B) {
	payload := []byte(`{"chatId":"room-1","token":"hello ","index":12,"requestId":"req-1234"}`)
	intern := func([]byte) string { return "the same" }
	var token events.AIToken
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := token.UnmarshalCommon(payload, intern); !ok {
			b.Fatal("another form")
		}
	}
}
