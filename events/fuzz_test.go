package events_test

import (
	"bytes"
	stdjson "encoding/json"
	"errors"
	"reflect"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"

	"github.com/seed67206a74/parley/events"
)

func FuzzDecode(f *testing.F) {
	for _, p := range contract {
		for _, key := range fromServer {
			f.Add(string(key), []byte(p.json))
		}
	}
	for _, data := range []string{
		``, `null`, `{}`, `[]`, `{"token":"a","index":1}`, `{"token":"a","index":1,"index":2,"token":null}`,
		"{\"token\":\"\\ud800\xff\",\"index\":-0,\"x\xff\":1,\"x\":{\"a\":[ ]}}", `{"\u0074oken":"\\\"","index":1e1}`,
		`{"onlineUserIds":[1,"1",1e1,null]}`, `{"onlineUserIds":[-0,""]}`, `{"status":"","etaMs":1e308}`,
		`{"messageId":"","role":"","text":"","createdAt":"2024-02-29T23:59:59.999999999+00:00","usage":{"promptTokens":1}}`,
	} {
		for _, key := range fromServer {
			f.Add(string(key), []byte(data))
		}
	}
	for _, payload := range habits {
		f.Add(string(payload.key), []byte(payload.json))
	}
	f.Fuzz(func(t *testing.T, key string, data []byte) {
		ev, err := events.Decode(events.Key(key), data)
		if strict := strictly(events.Key(key), data); strict != nil {
			require.NoError(t, err)
			require.Equal(t, strict, withoutExtra(ev), "what the strict decoder accepts is read alike")
		}
		if err != nil {
			failed, ok := errors.AsType[*events.FieldError](err)
			require.Equal(t, ok && failed.Partial, ev != nil)
			return
		}

		// The encoder formats raw JSON. A payload that is formatted before
		// comes back unchanged.
		formatted := jsontext.Value(bytes.Clone(data))
		require.NoError(t, formatted.Format(browserRules))
		ev, err = events.Decode(events.Key(key), formatted)
		require.NoError(t, err)
		encoded, err := encodeOnOneEncoder(ev)
		require.NoError(t, err)
		again, err := events.Decode(events.Key(key), encoded)
		require.NoError(t, err)
		require.Equal(t, inUTC(ev), inUTC(again))
	})
}

// inUTC returns ev with its time in UTC. An offset of zero may be written as Z
// or as +00:00, which are different locations in Go.
func inUTC(ev events.Event) events.Event {
	switch ev := ev.(type) {
	case events.ChatMessage:
		ev.CreatedAt = ev.CreatedAt.UTC()
		return ev
	case events.AIMessage:
		ev.CreatedAt = ev.CreatedAt.UTC()
		return ev
	default:
		return ev
	}
}

func FuzzUserMessage(f *testing.F) {
	f.Add([]byte(contract[0].json))
	f.Add([]byte(`{"messageId":"","userId":0,"text":"","parts":[{"type":"","value":{"\ud800":-0.10e+5}}]}`))
	f.Add([]byte("{\"messageId\":\"\",\"userId\":\"\",\"text\":\"\\u0000\xff\",\"parts\":[]}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var msg, same events.UserMessage
		err := stdjson.Unmarshal(data, &msg)
		errSame := decodeOnOneDecoder(data, &same)
		if !stdjson.Valid(data) {
			return // the decoder may have read a payload before the invalid part
		}
		require.Equal(t, err == nil, errSame == nil, "%v, %v", err, errSame)
		if err != nil {
			return
		}
		require.Equal(t, msg, same, "both JSON packages read the same")

		encoded, err := stdjson.Marshal(msg)
		require.NoError(t, err)
		var again events.UserMessage
		require.NoError(t, stdjson.Unmarshal(encoded, &again))
		msg.Extra, again.Extra = nil, nil // the encoder formats raw JSON
		require.Equal(t, msg, again)
	})
}

func FuzzID(f *testing.F) {
	for _, seed := range []string{`1`, `"1"`, `-0`, `null`, `1.0`, `""`, `"\ud800"`, `{}`, `123456789012345678901234567890`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var id events.ID
		if err := stdjson.Unmarshal(data, &id); err != nil {
			if stdjson.Valid(data) {
				_, ok := errors.AsType[*events.FieldError](err)
				require.True(t, ok, err)
			}
			require.Equal(t, reflect.Zero(reflect.TypeOf(id)).Interface(), id)
			return
		}
		encoded, err := stdjson.Marshal(id)
		require.NoError(t, err)
		var again events.ID
		require.NoError(t, stdjson.Unmarshal(encoded, &again))
		require.Equal(t, id, again)
	})
}
