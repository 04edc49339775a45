package conn_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"testing"

	"github.com/gorilla/websocket"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/seed67206a74/parley/reconnect"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// sends is a server that says the given frames, after the client's first one.
func sends(t *testing.T, frames ...string) string {
	return wiretest.Serve(t, func(p *wiretest.Peer) {
		p.Welcome()
		p.Receive()
		for _, frame := range frames {
			p.Send(frame)
		}
		p.UntilGone()
	})
}

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
	_ = conn.On[int](c, "unheard") // a topic without a subscription hears nothing
	require.NoError(t, c.Emit(t.Context(), "go"))
	assert.Equal(t, 1, wiretest.ReceiveFrom(t, heard))
}

func TestNew_rejectsInvalidURLAndConfig(t *testing.T) {
	for raw, want := range map[string]string{
		"localhost:4000":          "scheme",
		"ftp://localhost":         "scheme",
		"http://":                 "no host",
		"http://bad host":         "cannot be parsed",
		"http://me:secret@host":   "user name",
		"http://host/a,b":         "comma",
		"http://host/%zz?token=s": "cannot be parsed",
	} {
		_, err := conn.New(raw, conn.Config{})
		require.ErrorContains(t, err, want, raw)
		assert.NotContains(t, err.Error(), "secret")
	}
	for want, cfg := range map[string]conn.Config{
		"unknown transport": {Transports: []string{"carrier pigeon"}},
		"is empty":          {Transports: []string{}},
		"slash":             {Path: "socket.io"},
		"negative":          {WriteTimeout: -1},
		"no event":          {Join: conn.Join{Payload: 1}},
		"reserved":          {Join: conn.Join{Event: "connect"}},
		"chan int":          {Join: conn.Join{Event: "join", Payload: make(chan int)}},
		"the handshake":     {Header: http.Header{"upgrade": {"h2c"}}},
		"Config.Reconnect":  {Reconnect: reconnect.Policy{InitialInterval: -1}},
	} {
		_, err := conn.New("http://localhost", cfg)
		assert.ErrorContains(t, err, want)
	}
}

func TestErrors_unwrapToCause(t *testing.T) {
	cause := errors.New("cause")
	for _, err := range []error{
		&conn.DialError{Err: cause}, &conn.TransportError{Err: cause}, &conn.ProtocolError{Err: cause},
		&conn.SendError{Err: cause}, conn.DecodeError{Err: cause},
	} {
		assert.ErrorIs(t, err, cause)
		assert.ErrorContains(t, err, "cause")
	}
}
