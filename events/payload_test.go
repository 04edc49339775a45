package events_test

import (
	stdjson "encoding/json"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed67206a74/parley/events"
)

func TestPayload_decodesContractExample(t *testing.T) {
	eachPayload(t, func(t *testing.T, payload string, value any, c codec) {
		got, err := decodeAs(c, payload, value)
		require.NoError(t, err)
		assert.Equal(t, value, got)
	})
}

func TestPayload_encodesContractExample(t *testing.T) {
	eachPayload(t, func(t *testing.T, payload string, value any, c codec) {
		b, err := c.marshal(value)
		require.NoError(t, err)
		assert.JSONEq(t, payload, string(b))

		again, err := decodeAs(c, string(b), value)
		require.NoError(t, err)
		assert.Equal(t, value, again, "a round trip changes nothing")
	})
}

func TestPayload_requiresFieldsOfContract(t *testing.T) {
	want := map[string]string{
		"UserMessage":  "messageId text userId",
		"Part":         "type value",
		"Typing":       "userId",
		"Abort":        "",
		"Read":         "messageIds readAt userId",
		"ChatMessage":  "createdAt messageId text userId",
		"Presence":     "onlineUserIds",
		"AIProcessing": "status",
		"AIToken":      "index token",
		"AIMessage":    "createdAt messageId role text",
		"Usage":        "",
		"AIError":      "message",
		"AIToolCall":   "args callId toolName",
		"AIToolResult": "callId result toolName",
	}
	got := make(map[string]string)
	for _, p := range contract {
		fields := jsonFields(p.value)
		maps.DeleteFunc(fields, func(_ string, f reflect.StructField) bool { return !isRequired(f) })
		got[typeName(p.value)] = strings.Join(slices.Sorted(maps.Keys(fields)), " ")
	}
	assert.Equal(t, want, got)
}

func TestPayload_rejectsMissingOrNullRequiredField(t *testing.T) {
	eachPayload(t, func(t *testing.T, payload string, value any, c codec) {
		for name, f := range jsonFields(value) {
			for _, absent := range []string{"", "null"} {
				_, err := decodeAs(c, with(t, payload, name, absent), value)
				if !isNeeded(f) {
					assert.NoError(t, err, "%s may be missing", name)
					continue
				}
				if absent == "null" && (f.Type == reflect.TypeFor[raw]() || f.Type == reflect.TypeFor[any]()) {
					assert.NoError(t, err, "%s may be any JSON", name)
					continue
				}
				var failure *events.FieldError
				require.ErrorAs(t, err, &failure, "%s is %q", name, absent)
				assert.Equal(t, events.FieldError{Type: typeName(value), Field: name, Err: events.ErrMissing}, *failure)
			}
		}
	})
}

// A field of the wrong type costs the payload only if the payload cannot be
// used without the field.
func TestPayload_reportsFieldOfWrongType(t *testing.T) {
	samples := []string{`"x"`, `1`, `1.5`, `1e2`, `true`, `{}`, `[]`, `[null]`, `[true]`}
	fits := map[reflect.Type]string{ // all other samples are of the wrong type
		reflect.TypeFor[string]():        `"x"`,
		reflect.TypeFor[events.Status](): `"x"`,
		reflect.TypeFor[events.ID]():     `"x" 1`,
		reflect.TypeFor[int]():           `1`,
		reflect.TypeFor[int64]():         `1 1.5 1e2`,
		reflect.TypeFor[float64]():       `1 1.5 1e2`,
		reflect.TypeFor[bool]():          `true`,
		reflect.TypeFor[time.Time]():     `1 1.5 1e2`,
		reflect.TypeFor[[]string]():      `[]`,
		reflect.TypeFor[[]events.ID]():   `[]`,
		reflect.TypeFor[[]events.Part](): `[]`,
		reflect.TypeFor[*events.Usage](): `{}`,
		reflect.TypeFor[raw]():           strings.Join(samples, " "),
		reflect.TypeFor[any]():           strings.Join(samples, " "),
	}
	eachPayload(t, func(t *testing.T, payload string, value any, c codec) {
		for name, f := range jsonFields(value) {
			require.Contains(t, fits, f.Type)
			fit := strings.Fields(fits[f.Type])
			if f.Type.Kind() == reflect.String && strings.HasPrefix(f.Tag.Get("read"), "number") {
				fit = append(fit, `1`, `1.5`, `1e2`)
			}
			for _, sample := range samples {
				got, err := decodeAs(c, with(t, payload, name, sample), value)
				if slices.Contains(fit, sample) {
					assert.NoError(t, err, "%s is %s", name, sample)
					continue
				}
				var failure *events.FieldError
				require.ErrorAs(t, err, &failure, "%s is %s", name, sample)
				assert.Equal(t, typeName(value), failure.Type)
				assert.True(t, strings.HasPrefix(failure.Field, name), failure.Field)
				assert.Equal(t, !isNeeded(f), failure.Partial, "%s is %s", name, sample)
				assert.NotErrorIs(t, err, events.ErrMissing)
				if failure.Partial {
					without, err := decodeAs(c, with(t, payload, name, ""), value)
					require.NoError(t, err)
					assert.Equal(t, without, got, "the other fields are set")
				}
			}
		}
	})
}

func TestPayload_rejectsNonObject(t *testing.T) {
	eachPayload(t, func(t *testing.T, _ string, value any, c codec) {
		for _, payload := range []string{`null`, `"x"`, `1`, `true`, `[]`, `[{}]`} {
			if _, text := value.(events.AIError); text && payload == `"x"` {
				continue
			}
			_, err := decodeAs(c, payload, value)
			var failure *events.FieldError
			require.ErrorAs(t, err, &failure, payload)
			assert.Equal(t, typeName(value), failure.Type)
			assert.Empty(t, failure.Field)
		}
	})
}

func TestPayload_omitsZeroOptionalFields(t *testing.T) {
	eachPayload(t, func(t *testing.T, payload string, value any, c codec) {
		bare := payload
		fields := jsonFields(value)
		for name, f := range fields {
			if !isRequired(f) {
				bare = with(t, bare, name, "")
			}
		}
		got, err := decodeAs(c, bare, value)
		require.NoError(t, err)
		b, err := c.marshal(got)
		require.NoError(t, err)
		assert.JSONEq(t, bare, string(b))
	})
}

func TestPayload_encodesZeroValueWithContractTypes(t *testing.T) {
	eachCodec(t, func(t *testing.T, c codec) {
		b, err := c.marshal([]any{events.Presence{}, events.Read{}, events.AIToolCall{}, events.AIToken{}})
		require.NoError(t, err)
		assert.JSONEq(t, `[
			{"onlineUserIds":[]},
			{"userId":null,"messageIds":[],"readAt":"0001-01-01T00:00:00Z"},
			{"callId":"","toolName":"","args":null},
			{"token":"","index":0}
		]`, string(b))
	})
}

func TestPayload_failsToEncodeInvalidValue(t *testing.T) {
	eachCodec(t, func(t *testing.T, c codec) {
		for _, v := range []any{
			events.AIProcessing{EtaMs: math.NaN()},
			events.ChatMessage{CreatedAt: time.Date(12345, 1, 1, 0, 0, 0, 0, time.UTC)},
			events.Part{Value: func() {}},
			events.UserMessage{Parts: []events.Part{{Value: stdjson.Number("1x")}}},
			events.AIMessage{Usage: &events.Usage{Extra: map[string]raw{"bad": raw(`]`)}}},
		} {
			_, err := c.marshal(v)
			assert.Error(t, err, "%T", v)
		}
	})
}

func TestPart_encodesValueLikeEncodingJSON(t *testing.T) {
	type image struct {
		URL string        `json:"url"`
		Alt int           `json:"alt,omitempty"` // omitted by encoding/json only
		TTL time.Duration `json:"ttl"`           // encoded by encoding/json only
	}
	eachCodec(t, func(t *testing.T, c codec) {
		b, err := c.marshal(events.Part{Type: "image", Value: image{URL: "a.png", TTL: 5}})
		require.NoError(t, err)
		assert.JSONEq(t, `{"type":"image","value":{"url":"a.png","ttl":5}}`, string(b))
	})
}

func TestPayload_rejectsOutOfRangeNumber(t *testing.T) {
	eachCodec(t, func(t *testing.T, c codec) {
		assert.ErrorContains(t, c.unmarshal([]byte(`{"token":"","index":9223372036854775808}`), new(events.AIToken)),
			`field "index": integer out of range`)
		assert.ErrorContains(t, c.unmarshal([]byte(`{"status":"queued","etaMs":1e999}`), new(events.AIProcessing)),
			`field "etaMs": number out of range`)
	})
}

func TestPayload_keepsNanosecondsAndOffsetOfTime(t *testing.T) {
	for _, at := range []string{
		"2026-03-04T05:06:07Z", "2026-03-04T05:06:07.1Z", "2026-03-04T05:06:07.123456789+14:00", "1969-12-31T23:59:59.000000001-00:30",
	} {
		t.Run(at, func(t *testing.T) {
			eachCodec(t, func(t *testing.T, c codec) {
				payload := `{"messageId":"m","userId":1,"text":"","createdAt":"` + at + `"}`
				var msg events.ChatMessage
				require.NoError(t, c.unmarshal([]byte(payload), &msg))
				b, err := c.marshal(msg)
				require.NoError(t, err)
				assert.JSONEq(t, payload, string(b))
			})
		})
	}
}
