package conn_test

import (
	"context"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// connects serves each connection with the next of the parts, and returns the
// CONNECT packets that it received. Further connections repeat the last part.
func connects(t *testing.T, reply string, parts ...func(p *wiretest.Peer)) (url string, said <-chan string) {
	t.Helper()
	connects := make(chan string, 100)
	turn := make(chan int, 1)
	turn <- 0
	return wiretest.Serve(t, func(p *wiretest.Peer) {
		n := <-turn
		turn <- n + 1
		p.Send(wiretest.OpenPacket)
		connects <- p.Receive()
		p.Send(reply)
		parts[min(n, len(parts)-1)](p)
	}), connects
}

// closeFrame closes the connection as a server does.
func closeFrame(p *wiretest.Peer) { _ = p.WS.WriteMessage(websocket.CloseMessage, nil) }

func TestRecovery_resumesFromLastOffset(t *testing.T) {
	url, said := connects(t, `40{"sid":"socket-1","pid":"private"}`,
		func(p *wiretest.Peer) {
			p.Receive()
			p.Send(`42["n",1,"offset-1"]`)
			p.Send(`429["n",2,"no offset: it asks for an acknowledgement"]`)
			p.Send(`42["n",3,"an \"escape\""]`)
			p.Send(`451-["b",{"_placeholder":true,"num":0},"offset-2"]`)
			p.SendBinary([]byte("x"))
			p.Receive()
		},
		func(p *wiretest.Peer) { p.Send(`42["n",4,"offset-4"]`); p.Receive(); closeFrame(p) },
		func(p *wiretest.Peer) { p.Receive(); closeFrame(p) },
		func(p *wiretest.Peer) { p.Send(`41`); p.UntilGone() })
	c, err := conn.New(url, conn.Config{Reconnect: soon, Retry: func(error) bool { return true },
		Auth: func(context.Context) (any, error) { return map[string]string{"token": "t"}, nil }})
	require.NoError(t, err)
	numbers := conn.On[int](c, "n").Chan(t.Context())
	bytes := conn.On[[]byte](c, "b").Chan(t.Context())
	states := c.States.Subscribe(t.Context(), bus.Filter(func(s conn.State) bool { return s.Phase == conn.Ready })).C()
	wiretest.Run(t, c)

	assert.Equal(t, `40{"token":"t"}`, wiretest.ReceiveFrom(t, said))
	assert.False(t, wiretest.ReceiveFrom(t, states).Recovered)
	require.NoError(t, c.Emit(t.Context(), "go"))
	for _, want := range []int{1, 2, 3} {
		assert.Equal(t, want, wiretest.ReceiveFrom(t, numbers))
	}
	assert.Equal(t, "x", string(wiretest.ReceiveFrom(t, bytes)))
	require.NoError(t, c.Emit(t.Context(), "cut"))

	second := wiretest.ReceiveFrom(t, said)
	assert.Contains(t, second, `"pid":"private"`)
	assert.Contains(t, second, `"offset":"offset-2"`)
	assert.True(t, strings.HasSuffix(second, `,"token":"t"}`), second)
	state := wiretest.ReceiveFrom(t, states)
	assert.True(t, state.Recovered)
	assert.Equal(t, "socket-1", state.SessionID)
	assert.Equal(t, 4, wiretest.ReceiveFrom(t, numbers))
	require.NoError(t, c.Emit(t.Context(), "close"))

	assert.Contains(t, wiretest.ReceiveFrom(t, said), `"offset":"offset-4"`)
	require.NoError(t, c.Emit(t.Context(), "close"))
	assert.Contains(t, wiretest.ReceiveFrom(t, said), `"offset":"offset-4"`, "it holds until there is another")

	assert.Equal(t, `40{"token":"t"}`, wiretest.ReceiveFrom(t, said), "no recovery after a disconnect by the server")
}

func TestRecovery_startsNewSessionWhenServerLostState(t *testing.T) {
	turn := make(chan int, 1)
	turn <- 0
	said := make(chan string, 3)
	url := wiretest.Serve(t, func(p *wiretest.Peer) {
		n := <-turn
		turn <- n + 1
		p.Send(wiretest.OpenPacket)
		said <- p.Receive()
		p.Send([]string{`40{"sid":"a","pid":"first"}`, `40{"sid":"b","pid":"second"}`, `40{"sid":"c"}`}[min(n, 2)])
		p.Receive()
		p.Send(`42["n",1,"offset-1"]`)
		p.Receive()
	})
	c, err := conn.New(url, conn.Config{Reconnect: soon})
	require.NoError(t, err)
	numbers := conn.On[int](c, "n").Chan(t.Context())
	states := c.States.Subscribe(t.Context(), bus.Filter(func(s conn.State) bool { return s.Phase == conn.Ready })).C()
	wiretest.Run(t, c)
	for _, want := range []struct{ said, id string }{{"40", "a"}, {`first`, "b"}, {`second`, "c"}} {
		assert.Contains(t, wiretest.ReceiveFrom(t, said), want.said)
		state := wiretest.ReceiveFrom(t, states)
		assert.False(t, state.Recovered)
		assert.Equal(t, want.id, state.SessionID)
		require.NoError(t, c.Emit(t.Context(), "go"))
		wiretest.ReceiveFrom(t, numbers)
		if want.id != "c" {
			require.NoError(t, c.Emit(t.Context(), "cut"))
		}
	}
}

// The server of npm sends missed events before the reply to CONNECT.
func TestRecovery_deliversMissedEventsBeforeConnectReply(t *testing.T) {
	turn := make(chan int, 1)
	turn <- 0
	said := make(chan string, 4)
	url := wiretest.Serve(t, func(p *wiretest.Peer) {
		n := <-turn
		turn <- n + 1
		p.Send(wiretest.OpenPacket)
		said <- p.Receive()
		switch n {
		case 0:
			p.Send(`40{"sid":"socket-1","pid":"private"}`)
			p.Send(`42["n",1,"offset-1"]`)
		case 1:
			p.Send(`42["n",2,"offset-2"]`)
			p.Send(`451-["n",3,{"_placeholder":true,"num":0},"offset-3"]`)
			p.SendBinary([]byte("x"))
			p.Send(`42["n",4,"offset-4"]`)
			p.Send(`40{"sid":"socket-1","pid":"private"}`)
			p.Send(`42["n",5,"offset-5"]`)
			p.UntilGone()
		}
	})
	c, err := conn.New(url, conn.Config{Reconnect: soon})
	require.NoError(t, err)
	numbers := conn.On[int](c, "n").Chan(t.Context())
	wiretest.Run(t, c)
	for want := range 5 {
		assert.Equal(t, want+1, wiretest.ReceiveFrom(t, numbers))
	}
	require.NoError(t, c.Ready(t.Context()))
	assert.True(t, c.State().Recovered)
	assert.Equal(t, "40", wiretest.ReceiveFrom(t, said))
	assert.Contains(t, wiretest.ReceiveFrom(t, said), "offset-1")
}

// With recovery enabled, an event without arguments still has the offset.
func TestRecovery_doesNotDecodeOffsetAsPayload(t *testing.T) {
	url, _ := connects(t, `40{"sid":"socket-1","pid":"private"}`, func(p *wiretest.Peer) {
		p.Receive()
		p.Send(`42["tick","offset-1"]`)
		p.Send(`42["tick",{"n":1},"offset-2"]`)
		p.Send(`42["tick",true,"offset-3"]`)
		p.UntilGone()
	})
	c, _, _ := start(t, url, conn.Config{})
	type tick struct{ N int }
	ticks := conn.On[tick](c, "tick").Chan(t.Context())
	failures := c.DecodeErrors.Chan(t.Context())
	require.NoError(t, c.Emit(t.Context(), "go"))
	assert.Equal(t, tick{}, wiretest.ReceiveFrom(t, ticks))
	assert.Equal(t, tick{1}, wiretest.ReceiveFrom(t, ticks))
	assert.Equal(t, `["tick",true,"offset-3"]`, string(wiretest.ReceiveFrom(t, failures).Raw))
}
