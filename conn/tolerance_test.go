package conn_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The value of a duplicate member replaces the earlier one, as in JSON.parse.
// The JSON packages would merge the two objects.
func TestDecode_replacesDuplicateMembers(t *testing.T) {
	type inner struct{ X, Y int }
	const event = `42["e",{"v":{"x":1,"z":[1]},"list":[1,2,3],"v":{"y":2},"list":[4]}]`
	t.Run("struct", func(t *testing.T) {
		decodesOne(t, event, struct {
			V    inner
			List []int
		}{inner{Y: 2}, []int{4}})
	})
	t.Run("pointer", func(t *testing.T) {
		decodesOne(t, event, struct {
			V    *inner
			List *[]int
		}{&inner{Y: 2}, &[]int{4}})
	})
	t.Run("map", func(t *testing.T) { decodesOne(t, event, struct{ V map[string]int }{map[string]int{"y": 2}}) })
	t.Run("map of maps", func(t *testing.T) {
		decodesOne(t, `42["e",{"a":{"x":1},"a":{"y":2}}]`, map[string]map[string]int{"a": {"y": 2}})
	})
	t.Run("any", func(t *testing.T) {
		decodesOne[any](t, event, map[string]any{"v": map[string]any{"y": 2.0}, "list": []any{4.0}})
	})
	t.Run("slice", func(t *testing.T) {
		decodesOne(t, `42["e",[{"v":{"x":1},"v":{"y":2}}]]`, []struct{ V inner }{{inner{Y: 2}}})
	})
	t.Run("raw", func(t *testing.T) {
		decodesOne(t, `42["e",{"v":1,"v":{"x":1}}]`, struct{ V json.RawMessage }{json.RawMessage(`{"x":1}`)})
	})
}

func decodesOne[T any](t *testing.T, frame string, want T) {
	c, _, _ := start(t, sends(t, frame), conn.Config{})
	decoded := conn.On[T](c, "e").Chan(t.Context())
	raw := c.Raw.Chan(t.Context())
	require.NoError(t, c.Emit(t.Context(), "go"))
	assert.Equal(t, want, wiretest.ReceiveFrom(t, decoded))
	event := wiretest.ReceiveFrom(t, raw)
	assert.Equal(t, frame, `42["e",`+string(event.Args[0])+`]`, "the raw event is unchanged")
	var same T
	require.NoError(t, event.Decode(0, &same))
	assert.Equal(t, want, same)
}

func TestCall_replacesDuplicateMembersOfAcknowledgement(t *testing.T) {
	c, _, _ := start(t, wiretest.Serve(t, func(p *wiretest.Peer) {
		p.Welcome()
		p.Receive()
		p.Send(`430[{"a":{"x":1},"a":{"y":2}}]`)
		p.UntilGone()
	}), conn.Config{})
	got, err := conn.Call[map[string]map[string]int](t.Context(), c, "ask")
	require.NoError(t, err)
	assert.Equal(t, map[string]map[string]int{"a": {"y": 2}}, got)
}

func TestEmit_sendsRawMessageUnchanged(t *testing.T) {
	for _, raw := range []string{`{"a":1,"a":2}`, `{"a":{"b":1,"b":1}}`, `"\u00e9\ud83d\/"`, `[1.0,1e2,123456789012345678901234567890]`} {
		t.Run(raw, func(t *testing.T) {
			frames := make(chan string, 1)
			c, _, _ := start(t, wiretest.Serve(t, func(p *wiretest.Peer) {
				p.Welcome()
				frames <- p.Receive()
				p.UntilGone()
			}), conn.Config{})
			require.NoError(t, c.Emit(t.Context(), "e", json.RawMessage(raw), map[string]any{"in": json.RawMessage(raw)}))
			assert.Equal(t, `42["e",`+raw+`,{"in":`+raw+`}]`, wiretest.ReceiveFrom(t, frames))
		})
	}
}

func TestDecodeError_namesFieldAndDelivery(t *testing.T) {
	type item struct{ Size int }
	type order struct {
		Items  []item
		Totals map[string]int
		Last   *events.AIMessage
	}
	c, _, _ := start(t, sends(t,
		`42["order",{"items":[{"size":1},{"size":"two"}]}]`,
		`42["order",{"totals":{"eur":true}}]`,
		`42["order",{"last":{"messageId":"m","text":"hi","usage":7}}]`,
		`42["order",7]`,
		`42["message",{"messageId":"m","text":"hi","usage":{"totalTokens":true}}]`,
		`42["message",{"messageId":"m"}]`,
	), conn.Config{})
	conn.On[order](c, "order").Chan(t.Context())
	messages := conn.On[events.AIMessage](c, "message").Chan(t.Context())
	failures := c.DecodeErrors.Chan(t.Context())
	require.NoError(t, c.Emit(t.Context(), "go"))
	for _, want := range []conn.DecodeError{
		{Event: "order", Field: "items[1].size"},
		{Event: "order", Field: "totals.eur"},
		{Event: "order", Field: "last.usage"}, // only the whole order is delivered, or nothing
		{Event: "order"},
		{Event: "message", Field: "usage.totalTokens", Delivered: true},
		{Event: "message", Field: "text"},
	} {
		got := wiretest.ReceiveFrom(t, failures)
		got.Raw, got.Err = nil, nil
		assert.Equal(t, want, got)
	}
	assert.Equal(t, events.AIMessage{MessageID: "m", Text: "hi", Usage: &events.Usage{}}, wiretest.ReceiveFrom(t, messages))
	assert.Empty(t, messages)
}

func TestHandle_callsFunctionWithoutFieldThatDoesNotFit(t *testing.T) {
	frames := make(chan string, 1)
	c, _, _ := start(t, wiretest.Serve(t, func(p *wiretest.Peer) {
		p.Welcome()
		p.Receive()
		p.Send(`427["call",{"callId":1,"toolName":"clock","traceId":{}}]`)
		frames <- p.Receive()
		p.UntilGone()
	}), conn.Config{})
	failures := c.DecodeErrors.Chan(t.Context())
	defer conn.Handle(c, "call", func(_ context.Context, call events.AIToolCall) (string, error) {
		return call.ToolName + call.CallID, nil
	})()
	require.NoError(t, c.Emit(t.Context(), "go"))
	assert.Equal(t, `437["clock1"]`, wiretest.ReceiveFrom(t, frames))
	assert.Equal(t, "traceId", wiretest.ReceiveFrom(t, failures).Field)
}

func TestCall_returnsReplyWithoutFieldThatDoesNotFit(t *testing.T) {
	c, _, _ := start(t, wiretest.Serve(t, func(p *wiretest.Peer) {
		p.Welcome()
		p.Receive()
		p.Send(`430[{"messageId":"m","text":"hi","options":7}]`)
		p.UntilGone()
	}), conn.Config{})
	got, err := conn.Call[events.AIMessage](t.Context(), c, "ask")
	var failed conn.DecodeError
	require.ErrorAs(t, err, &failed)
	assert.True(t, failed.Delivered)
	assert.Equal(t, "options", failed.Field)
	assert.Equal(t, "hi", got.Text)
}

func TestDecodeError_isFoundByValueAndByPointer(t *testing.T) {
	failure := conn.DecodeError{Event: "e", Err: errors.New("no")}
	for name, err := range map[string]error{"value": failure, "pointer": &failure} {
		t.Run(name, func(t *testing.T) {
			err = fmt.Errorf("wrapped: %w", err)
			var value conn.DecodeError
			require.ErrorAs(t, err, &value)
			assert.Equal(t, failure, value)
			var pointer *conn.DecodeError
			require.ErrorAs(t, err, &pointer)
			assert.Equal(t, failure, *pointer)
		})
	}
}

// Each error is published, and a flood of them is logged once.
func TestDecodeErrors_limitsOnlyTheLog(t *testing.T) {
	const flood = 1000
	frames := make([]string, flood)
	for i := range frames {
		frames[i] = `42["n","a secret"]`
	}
	var log bytes.Buffer
	c, ended, _ := start(t, sends(t, frames...), conn.Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	conn.On[int](c, "n").Chan(t.Context())
	failures := c.DecodeErrors.Chan(t.Context())
	require.NoError(t, c.Emit(t.Context(), "go"))
	for range flood {
		wiretest.ReceiveFrom(t, failures)
	}
	require.NoError(t, c.Close())
	wiretest.ReceiveFrom(t, ended)
	assert.Less(t, strings.Count(log.String(), "conn: payload does not fit"), 10)
	assert.Contains(t, log.String(), "event=n")
	assert.NotContains(t, log.String(), "secret")
}
