package events_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed67206a74/parley/events"
)

var fromServer = []events.Key{
	events.KeyChatMessage, events.KeyPresenceUpdate, events.KeyAIProcessing, events.KeyAIToken,
	events.KeyAIMessage, events.KeyAIError, events.KeyAIToolCall, events.KeyAIToolResult,
}

func TestDecode_returnsTypeForKey(t *testing.T) {
	var decoded []events.Key
	for _, p := range contract {
		want, ok := p.value.(events.Event)
		if !ok {
			continue
		}
		t.Run(string(want.Key()), func(t *testing.T) {
			got, err := events.Decode(want.Key(), []byte(p.json))
			require.NoError(t, err)
			assert.Equal(t, want, got)
			assert.Equal(t, events.Envelope{ChatID: events.StringID("room-1"), TraceID: "t1", RequestID: "r1"}, got.Envelope())
			decoded = append(decoded, got.Key())
		})
	}
	assert.ElementsMatch(t, fromServer, decoded)
}

func TestDecode_rejectsClientAndUnknownKeys(t *testing.T) {
	for key := range events.Keys() {
		if !slices.Contains(fromServer, key) {
			_, err := events.Decode(key, []byte(`{}`))
			assert.ErrorContains(t, err, string(key))
		}
	}
	_, err := events.Decode("NO_SUCH_KEY", []byte(`{}`))
	assert.ErrorContains(t, err, "NO_SUCH_KEY")
}

func TestDecode_returnsSyntacticErrorForInvalidJSON(t *testing.T) {
	for _, key := range fromServer {
		for _, data := range []string{``, ` `, `{`, `{"a"`, `{"a":1`, `{"a":1,}`, `nul`, "\x00"} {
			ev, err := events.Decode(key, []byte(data))
			assert.Nil(t, ev)
			_, ok := errors.AsType[*jsontext.SyntacticError](err)
			assert.True(t, ok, "%s: %q: %v", key, data, err)
		}
	}
}

func TestDecode_rejectsTrailingData(t *testing.T) {
	_, err := events.Decode(events.KeyAIToken, []byte(`{"token":"a","index":1} {}`))
	_, ok := errors.AsType[*jsontext.SyntacticError](err)
	assert.True(t, ok, err)
}

func TestEvent_cannotBeImplementedByOtherPackages(t *testing.T) {
	event := reflect.TypeFor[events.Event]()
	method, ok := event.MethodByName("isEvent")
	require.True(t, ok)
	assert.NotEmpty(t, method.PkgPath, "a method that no other package can have")
}

func TestAIError_implementsError(t *testing.T) {
	failure := &events.AIError{Code: "rate_limit", Message: "slow down"}
	assert.EqualError(t, failure, "ai error: rate_limit: slow down")
	assert.EqualError(t, &events.AIError{Message: "no idea"}, "ai error: no idea")

	var found *events.AIError
	require.ErrorAs(t, fmt.Errorf("ask: %w", failure), &found)
	assert.Same(t, failure, found)
}

func TestStatus_keepsUnknownValue(t *testing.T) {
	ev, err := events.Decode(events.KeyAIProcessing, []byte(`{"status":"dreaming"}`))
	require.NoError(t, err)
	assert.Equal(t, events.Status("dreaming"), ev.(events.AIProcessing).Status)
}
