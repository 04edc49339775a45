package contract

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/seed67206a74/parley/events"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func read(t *testing.T) *Contract {
	c, err := Read("../../events")
	require.NoError(t, err)
	return c
}

func TestFiles_matchCommittedContract(t *testing.T) {
	files, err := read(t).Files()
	require.NoError(t, err)
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join("../../docs/contract", name))
		assert.NoError(t, err)
		assert.True(t, bytes.Equal(want, got), "%s is not up to date: run make generate", name)
	}
}

func TestRead_includesEveryKeyInOrder(t *testing.T) {
	var keys []events.Key
	for _, e := range read(t).events {
		if e.key != "" {
			keys = append(keys, e.key)
		}
	}
	assert.Equal(t, slices.Collect(events.Keys()), keys)
}

func TestDecode_acceptsOnlyEventsFromServer(t *testing.T) {
	for _, e := range read(t).events {
		if e.key == "" {
			continue
		}
		_, err := events.Decode(e.key, encode(t, e.example))
		assert.Equal(t, e.toServer, err != nil, "%s: %v", e.key, err)
	}
}

func TestMembers_listsStatusConstants(t *testing.T) {
	all := members(reflect.TypeFor[events.AIProcessing]())
	i := slices.IndexFunc(all, func(m member) bool { return m.name == "status" })
	require.NotEqual(t, -1, i)
	assert.Equal(t, []string{string(events.StatusQueued), string(events.StatusWorking), string(events.StatusRetrying)}, all[i].allowed)
}

func TestAsyncAPI_acceptsEveryExample(t *testing.T) {
	schemas := compile(t)
	for _, e := range read(t).events {
		assert.NoError(t, accepts(t, schemas(e.payload), encode(t, e.example)), e.name)
	}
}

func TestAsyncAPI_rejectsValuesOutsideEnum(t *testing.T) {
	schemas := compile(t)
	for _, c := range read(t).payloads {
		whole := encode(t, exampleOf(t, c))
		for _, m := range members(c) {
			if m.allowed != nil {
				wrong := with(t, whole, m.name, json.RawMessage(`"none of these"`))
				assert.Error(t, accepts(t, schemas(c.Name()), wrong), "%s", wrong)
			}
		}
	}
	part := []byte(`{"messageId":"m","userId":"u","text":"t","parts":[{"type":"video","value":1}]}`)
	assert.Error(t, accepts(t, schemas("UserMessage"), part))
}

// The schema of each type accepts the same JSON as the codec of package events,
// with each member left out, and with values of every type in its place. There
// are two exceptions: the codec accepts values outside of an enum, see the test
// above, and null for an optional member.
func TestAsyncAPI_acceptsSameJSONAsCodec(t *testing.T) {
	schemas := compile(t)
	for _, payload := range read(t).payloads {
		t.Run(payload.Name(), func(t *testing.T) { compareWithCodec(t, schemas(payload.Name()), payload) })
	}
}

func compareWithCodec(t *testing.T, schema *jsonschema.Schema, payload reflect.Type) {
	whole := encode(t, exampleOf(t, payload))
	compare := func(name string, data []byte) {
		fits, decodes := accepts(t, schema, data), json.Unmarshal(data, reflect.New(payload).Interface())
		assert.Equal(t, decodes == nil, fits == nil, "%s: %s\nschema: %v\ncodec: %v", name, data, fits, decodes)
	}
	for _, m := range append(envelope(), members(payload)...) {
		without := with(t, whole, m.name, nil)
		compare(m.name, without)
		if m.required {
			assert.Error(t, accepts(t, schema, without), "without %s", m.name)
		}
		for _, value := range []string{`"x"`, `"2026-03-04T05:06:07.123456789+05:31"`, `7`, `123456789`, `1.5`, `true`, `[]`, `["x"]`, `[7]`, `[null]`, `{}`, `null`} {
			if m.allowed == nil && (value != "null" || m.required) {
				compare(m.name, with(t, whole, m.name, json.RawMessage(value)))
			}
		}
	}
	compare("a member that is not in the contract", with(t, whole, "unheard", json.RawMessage(`{"of":1}`)))
}

// compile returns the schemas of the document, by name.
func compile(t *testing.T) func(name string) *jsonschema.Schema {
	document, err := read(t).AsyncAPI()
	require.NoError(t, err)
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(document))
	require.NoError(t, err)
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft7)
	compiler.AssertFormat()
	require.NoError(t, compiler.AddResource("asyncapi.json", parsed))
	return func(name string) *jsonschema.Schema {
		schema, err := compiler.Compile("asyncapi.json#/components/schemas/" + name)
		require.NoError(t, err)
		return schema
	}
}

func accepts(t *testing.T, schema *jsonschema.Schema, data []byte) error {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	require.NoError(t, err)
	return schema.Validate(value)
}

func exampleOf(t *testing.T, payload reflect.Type) any {
	for _, example := range examples {
		if reflect.TypeOf(example) == payload {
			return example
		}
	}
	require.Fail(t, "no example", payload.Name())
	return nil
}

func encode(t *testing.T, v any) []byte {
	data, err := json.Marshal(v)
	require.NoError(t, err)
	return data
}

// with is the object data with a member set to value, or without it for nil.
func with(t *testing.T, data []byte, name string, value json.RawMessage) []byte {
	var all map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(data, &all))
	delete(all, name)
	if value != nil {
		all[name] = value
	}
	return encode(t, all)
}
