package events_test

import (
	"reflect"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed67206a74/parley/events"
)

// commonForms are payloads of the common form.
var commonForms = []struct {
	json string
	want any
}{
	{`{"token":"a","index":0}`, events.AIToken{Token: "a"}},
	{
		`{"chatId":"room-1","traceId":"t1","requestId":"r1","token":"\"\n\\\/\b\f\r\té","index":-12,"done":true}`,
		events.AIToken{ChatID: events.StringID("room-1"), TraceID: "t1", RequestID: "r1", Token: "\"\n\\/\b\f\r\té", Index: -12, Done: true},
	},
	{`{"index":123456789,"done":false,"chatId":42,"token":""}`, events.AIToken{ChatID: events.IntID(42), Index: 123456789}},
	{`{"status":"working","etaMs":1500}`, events.AIProcessing{Status: events.StatusWorking, EtaMs: 1500}},
	{
		`{"messageId":"m1","userId":"u1","text":"Hi","createdAt":"2026-03-04T05:06:07Z"}`,
		events.ChatMessage{MessageID: "m1", UserID: events.StringID("u1"), Text: "Hi", CreatedAt: at(0)},
	},
}

// otherForms are left to the tolerant decoder, or are invalid.
var otherForms = []string{
	``, `{`, `{}`, `[]`, `{"token":"a"}`, `{"index":0}`, `{"token":"a","index":0`, `{"token":"a","index":0,}`, `{"token":"a","index":0;}`,
	`{ "token":"a","index":0}`, `{"token": "a","index":0}`, `{"token":"a" ,"index":0}`, `{"token":"a","index":0,"extra":1}`,
	`{"token":"a","index":0,"token":"b"}`, `{"to\u006ben":"a","index":0}`, `{"token":"\u0061","index":0}`, `{"token":"\x","index":0}`,
	"{\"token\":\"\xff\",\"index\":0}", "{\"token\":\"\n\",\"index\":0}", `{"token":"a","index":00}`, `{"token":"a","index":-0}`,
	`{"token":"a","index":-}`, `{"token":"a","index":1.0}`, `{"token":"a","index":1e0}`, `{"token":"a","index":"1"}`, `{"token":1,"index":0}`,
	`{"token":"a","index":1000000000000000000}`, `{"token":"a","index":99999999999999999999}`, `{"token":null,"index":0}`,
	`{"token":"a","index":0,"done":null}`, `{"token":"a","index":0,"done":tru}`, `{"token":"a","index":0,"requestId":7}`,
	`{"token":"a","index":0,"chatId":{}}`, `{"token":"a","index":0,"chatId":1.5}`, `{"token":"a","index":0,"chatId":null}`, `{"token":"\`, `{"token":"a\n`,
}

func TestUnmarshalCommon_decodesCommonForm(t *testing.T) {
	for _, form := range commonForms {
		into := reflect.New(reflect.TypeOf(form.want))
		n, ok := into.Interface().(commonDecoder).UnmarshalCommon([]byte(form.json+`,"offset"]`), toString)
		require.True(t, ok, form.json)
		assert.Equal(t, len(form.json), n)
		assert.Equal(t, form.want, into.Elem().Interface())
	}
}

func TestUnmarshalCommon_leavesOtherForms(t *testing.T) {
	for _, data := range otherForms {
		token := events.AIToken{Token: "the last one"}
		_, ok := token.UnmarshalCommon([]byte(data), toString)
		assert.False(t, ok, data)
		assert.Zero(t, token)
	}
}

type commonDecoder interface {
	UnmarshalCommon(b []byte, intern func([]byte) string) (n int, ok bool)
	UnmarshalJSONFrom(d *jsontext.Decoder) error
}

func toString(b []byte) string { return string(b) }

// FuzzUnmarshalCommon checks that the tolerant decoder returns the same.
func FuzzUnmarshalCommon(f *testing.F) {
	for _, form := range commonForms {
		f.Add([]byte(form.json))
	}
	for _, data := range otherForms {
		f.Add([]byte(data))
	}
	for _, p := range contract {
		f.Add([]byte(p.json))
	}
	for _, p := range habits {
		f.Add([]byte(p.json))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		common[events.AIToken](t, data)
		common[events.AIProcessing](t, data)
		common[events.ChatMessage](t, data)
	})
}

func common[T any](t *testing.T, data []byte) {
	var quick, tolerant T
	n, ok := any(&quick).(commonDecoder).UnmarshalCommon(data, toString)
	if !ok {
		require.Zero(t, quick)
		return
	}
	require.NoError(t, decodeOnOneDecoder(data[:n], &tolerant))
	require.Equal(t, tolerant, quick)
}
