package interop

import (
	"bytes"
	"encoding/json"
	"os"
	"path"
	"reflect"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/seed67206a74/parley/events"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const asyncAPI = "../docs/contract/asyncapi.json"

// payloads has the Go type of each schema of a payload. The value is nil if
// package events has no type for it.
var payloads = map[string]reflect.Type{
	"UserMessage":  reflect.TypeFor[events.UserMessage](),
	"Typing":       reflect.TypeFor[events.Typing](),
	"Abort":        reflect.TypeFor[events.Abort](),
	"Read":         reflect.TypeFor[events.Read](),
	"ChatMessage":  reflect.TypeFor[events.ChatMessage](),
	"Presence":     reflect.TypeFor[events.Presence](),
	"AIProcessing": reflect.TypeFor[events.AIProcessing](),
	"AIToken":      reflect.TypeFor[events.AIToken](),
	"AIMessage":    reflect.TypeFor[events.AIMessage](),
	"AIError":      reflect.TypeFor[events.AIError](),
	"AIToolCall":   reflect.TypeFor[events.AIToolCall](),
	"AIToolResult": reflect.TypeFor[events.AIToolResult](),
	"Join":         nil,
	"EventNames":   nil,
	"Anything":     nil,
}

func TestAsyncAPI_acceptsEveryExample(t *testing.T) {
	for id, m := range messages(t) {
		assert.NoError(t, m.validate(t, m.example), id)
	}
}

func TestAsyncAPI_rejectsValuesOutsideEnum(t *testing.T) {
	all := messages(t)
	tested := 0
	for _, m := range all {
		for _, member := range m.members() {
			if member.enum {
				wrong := with(t, m.example, member.name, json.RawMessage(`"none of these"`))
				assert.Error(t, m.validate(t, wrong), "%s", wrong)
				tested++
			}
		}
	}
	assert.Positive(t, tested)
	part := []byte(`{"messageId":"m","userId":"u","text":"t","parts":[{"type":"video","value":1}]}`)
	assert.Error(t, all["USER_MESSAGE"].validate(t, part))
}

// The codec of package events accepts all JSON that a schema accepts: with each
// member left out, and with values of every type in its place. It accepts more,
// because backends differ from the contract.
func TestCodec_acceptsJSONOfAsyncAPI(t *testing.T) {
	for id, m := range messages(t) {
		if m.typ != nil {
			t.Run(id, m.compareWithCodec)
		}
	}
}

func (m message) compareWithCodec(t *testing.T) {
	compare := func(data []byte) {
		if m.validate(t, data) == nil {
			assert.NoError(t, json.Unmarshal(data, reflect.New(m.typ).Interface()), "%s", data)
		}
	}
	for _, member := range m.members() {
		without := with(t, m.example, member.name, nil)
		compare(without)
		if member.required {
			assert.Error(t, m.validate(t, without), "without %s", member.name)
		}
		for _, value := range []string{`"x"`, `"2026-03-04T05:06:07.123456789+05:31"`, `7`, `123456789`, `1.5`, `true`, `[]`, `["x"]`, `[7]`, `[null]`, `{}`, `null`} {
			if !member.enum && (value != "null" || member.required) {
				compare(with(t, m.example, member.name, json.RawMessage(value)))
			}
		}
	}
	compare(with(t, m.example, "unknown", json.RawMessage(`{"of":1}`)))
}

// A message is an event of the AsyncAPI document, with its example.
type message struct {
	typ     reflect.Type // nil if package events has none
	schema  *jsonschema.Schema
	example json.RawMessage
}

// messages reads the document. A message has the key of its event as its name,
// or the name of an event without a key.
func messages(t *testing.T) map[string]message {
	t.Helper()
	text, err := os.ReadFile(asyncAPI)
	require.NoError(t, err)
	var document struct {
		Components struct {
			Messages map[string]struct {
				Payload struct {
					Ref string `json:"$ref"`
				}
				Examples []struct{ Payload json.RawMessage }
			}
		}
	}
	require.NoError(t, json.Unmarshal(text, &document))

	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft7)
	compiler.AssertFormat()
	all := map[string]message{}
	for id, m := range document.Components.Messages {
		schema, err := compiler.Compile(asyncAPI + m.Payload.Ref)
		require.NoError(t, err)
		require.Contains(t, payloads, path.Base(m.Payload.Ref))
		require.Len(t, m.Examples, 1, id)
		all[id] = message{payloads[path.Base(m.Payload.Ref)], schema, m.Examples[0].Payload}
	}
	for key := range events.Keys() {
		require.Contains(t, all, string(key))
	}
	return all
}

// validate returns an error if the schema rejects data.
func (m message) validate(t *testing.T, data []byte) error {
	t.Helper()
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	require.NoError(t, err)
	return m.schema.Validate(value)
}

// A member is one member of a payload, according to the tags of its Go type.
type member struct {
	name           string
	required, enum bool
}

func (m message) members() []member {
	if m.typ == nil {
		return nil
	}
	var all []member
	for _, f := range reflect.VisibleFields(m.typ) {
		name, option, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name != "-" {
			all = append(all, member{name, option != "omitzero", f.Tag.Get("enum") != ""})
		}
	}
	return all
}

// with returns the object data with a member set to value, or without the
// member if value is nil.
func with(t *testing.T, data []byte, name string, value json.RawMessage) []byte {
	t.Helper()
	var all map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(data, &all))
	delete(all, name)
	if value != nil {
		all[name] = value
	}
	changed, err := json.Marshal(all)
	require.NoError(t, err)
	return changed
}
