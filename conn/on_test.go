package conn_test

import (
	"encoding/json"
	"testing"

	"github.com/gorilla/websocket"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestOn_decodesFirstArgument(t *testing.T) {
	c, _, _ := start(t, sends(t,
		`42["result",{"name":"a","size":1},"an offset"]`,
		`42[ "result" , {"name":"b","name":"c","size":2} ]`,
		`42["result"]`,
		`42["re\u0073ult",{"name":"\ud83d"}]`,
		`42["big",9007199254740993]`,
		`42[17,"a number is a name too"]`,
	), conn.Config{})
	type result struct {
		Name string `json:"name"`
		Size int    `json:"size"`
	}
	results := conn.On[result](c, "result").Chan(t.Context())
	same := conn.On[result](c, "result").Chan(t.Context())
	asText := conn.On[json.RawMessage](c, "big").Chan(t.Context())
	numbered := conn.On[string](c, "17").Chan(t.Context())
	require.NoError(t, c.Emit(t.Context(), "go"))

	for _, want := range []result{{"a", 1}, {"c", 2}, {}, {"\ufffd", 0}} {
		assert.Equal(t, want, wiretest.ReceiveFrom(t, results))
		assert.Equal(t, want, wiretest.ReceiveFrom(t, same))
	}
	assert.Equal(t, "9007199254740993", string(wiretest.ReceiveFrom(t, asText)))
	assert.Equal(t, "a number is a name too", wiretest.ReceiveFrom(t, numbered))
}

func TestDecodeErrors_reportsMismatchAndKeepsSession(t *testing.T) {
	c, ended, _ := start(t, wiretest.Serve(t, func(p *wiretest.Peer) {
		p.Welcome()
		p.Receive()
		p.Send(`42["n","one"]`)
		p.Send(`451-["n",{"_placeholder":true,"num":0}]`)
		_ = p.WS.WriteMessage(websocket.BinaryMessage, []byte("attachment"))
		p.Send(`42["n",2]`)
		p.UntilGone()
	}), conn.Config{})
	numbers := conn.On[int](c, "n").Chan(t.Context())
	failures := c.DecodeErrors.Chan(t.Context())
	require.NoError(t, c.Emit(t.Context(), "go"))

	failure := wiretest.ReceiveFrom(t, failures)
	assert.Equal(t, "n", failure.Event)
	assert.Equal(t, `["n","one"]`, string(failure.Raw))
	assert.Error(t, failure)
	assert.ErrorContains(t, wiretest.ReceiveFrom(t, failures), "unmarshal JSON object into Go int")
	assert.Equal(t, 2, wiretest.ReceiveFrom(t, numbers), "the session goes on")
	assert.Empty(t, ended)
}

func TestRaw_receivesEventsWithAllArguments(t *testing.T) {
	c, _, _ := start(t, sends(t, `42["a"]`, `4212["b",1,{"x":null},"last"]`), conn.Config{})
	raw := c.Raw.Chan(t.Context())
	require.NoError(t, c.Emit(t.Context(), "go"))
	assert.Equal(t, conn.Event{Name: "a", Args: conn.Args{}}, wiretest.ReceiveFrom(t, raw))
	assert.Equal(t, conn.Event{Name: "b", Args: conn.Args{
		json.RawMessage(`1`), json.RawMessage(`{"x":null}`), json.RawMessage(`"last"`),
	}}, wiretest.ReceiveFrom(t, raw))
}

func TestOn_doesNotDecodeWithoutSubscriber(t *testing.T) {
	c, _, _ := start(t, sends(t, `42["unheard",{]`, `42["heard",1]`), conn.Config{})
	heard := conn.On[int](c, "heard").Chan(t.Context())
	_ = conn.On[int](c, "unheard") // a source without a subscription
	require.NoError(t, c.Emit(t.Context(), "go"))
	assert.Equal(t, 1, wiretest.ReceiveFrom(t, heard))
}
