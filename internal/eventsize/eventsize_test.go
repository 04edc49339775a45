package eventsize

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/seed67206a74/parley/events"
	"github.com/stretchr/testify/assert"
)

// A long text in any field of an event counts.
func TestOf_countsEachField(t *testing.T) {
	long := strings.Repeat("x", 1000)
	extra := map[string]json.RawMessage{"more": json.RawMessage(`"` + long + `"`)}
	values := map[reflect.Type]any{
		reflect.TypeFor[string]():                     long,
		reflect.TypeFor[events.Status]():              events.Status(long),
		reflect.TypeFor[events.ID]():                  events.StringID(long),
		reflect.TypeFor[json.RawMessage]():            json.RawMessage(long),
		reflect.TypeFor[[]string]():                   []string{long},
		reflect.TypeFor[*events.Usage]():              &events.Usage{Extra: extra},
		reflect.TypeFor[map[string]json.RawMessage](): extra,
	}
	for _, event := range []events.Event{
		events.AIProcessing{}, events.AIToken{}, events.AIToolCall{}, events.AIToolResult{}, events.AIError{}, events.AIMessage{},
	} {
		kind := reflect.TypeOf(event)
		empty := Of(event)
		for i := range kind.NumField() {
			value, ok := values[kind.Field(i).Type]
			if !ok {
				continue // of a fixed size
			}
			changed := reflect.New(kind).Elem()
			changed.Field(i).Set(reflect.ValueOf(value))
			assert.GreaterOrEqual(t, Of(changed.Interface().(events.Event)), empty+1000, "%s.%s", kind.Name(), kind.Field(i).Name)
		}
	}
}
