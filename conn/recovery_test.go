package conn_test

import (
	"context"
	"strings"
	"testing"

	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/conn"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// connects lets each connection of a raw server play its own part, and returns
// what each said in its CONNECT. The last part is played again and again.
func connects(t *testing.T, welcome string, parts ...func(p *peer)) (url string, said <-chan string) {
	t.Helper()
	connects := make(chan string, 100)
	turn := make(chan int, 1)
	turn <- 0
	return serveRaw(t, func(p *peer) {
		n := <-turn
		turn <- n + 1
		p.send(openPacket)
		connects <- p.receive()
		p.send(welcome)
		parts[min(n, len(parts)-1)](p)
	}), connects
}

func TestALostSessionIsResumedWhereItStopped(t *testing.T) {
	url, said := connects(t, `40{"sid":"socket-1","pid":"private"}`,
		func(p *peer) {
			p.receive()
			p.send(`42["n",1,"offset-1"]`)
			p.send(`429["n",2,"no offset: it asks for an acknowledgement"]`)
			p.send(`42["n",3,"an \"escape\""]`)
			p.send(`451-["b",{"_placeholder":true,"num":0},"offset-2"]`)
			p.sendBinary([]byte("x"))
			p.receive()
		},
		func(p *peer) { p.send(`42["n",4,"offset-4"]`); p.receive() },
		func(p *peer) { p.receive() },
		func(p *peer) { p.send(`41`); p.untilGone() })
	c, err := conn.New(url, conn.Config{Reconnect: soon, Retry: func(error) bool { return true },
		Auth: func(context.Context) (any, error) { return map[string]string{"token": "t"}, nil }})
	require.NoError(t, err)
	numbers := conn.Topic[int](c, "n").Chan(t.Context())
	bytes := conn.Topic[[]byte](c, "b").Chan(t.Context())
	states := c.States.Subscribe(t.Context(), bus.Only(func(s conn.State) bool { return s.Phase == conn.Ready })).C()
	run(t, c)

	assert.Equal(t, `40{"token":"t"}`, receiveFrom(t, said))
	assert.False(t, receiveFrom(t, states).Recovered)
	require.NoError(t, c.Emit(t.Context(), "go"))
	for _, want := range []int{1, 2, 3} {
		assert.Equal(t, want, receiveFrom(t, numbers))
	}
	assert.Equal(t, "x", string(receiveFrom(t, bytes)))
	require.NoError(t, c.Emit(t.Context(), "cut"))

	second := receiveFrom(t, said)
	assert.Contains(t, second, `"pid":"private"`)
	assert.Contains(t, second, `"offset":"offset-2"`)
	assert.True(t, strings.HasSuffix(second, `,"token":"t"}`), second)
	state := receiveFrom(t, states)
	assert.True(t, state.Recovered)
	assert.Equal(t, "socket-1", state.SessionID)
	assert.Equal(t, 4, receiveFrom(t, numbers))
	require.NoError(t, c.Emit(t.Context(), "cut"))

	assert.Contains(t, receiveFrom(t, said), `"offset":"offset-4"`)
	require.NoError(t, c.Emit(t.Context(), "cut"))
	assert.Contains(t, receiveFrom(t, said), `"offset":"offset-4"`, "it holds until there is another")

	assert.Equal(t, `40{"token":"t"}`, receiveFrom(t, said), "who was put out starts anew")
}

func TestAServerThatHasForgottenStartsAnew(t *testing.T) {
	turn := make(chan int, 1)
	turn <- 0
	said := make(chan string, 3)
	url := serveRaw(t, func(p *peer) {
		n := <-turn
		turn <- n + 1
		p.send(openPacket)
		said <- p.receive()
		p.send([]string{`40{"sid":"a","pid":"first"}`, `40{"sid":"b","pid":"second"}`, `40{"sid":"c"}`}[min(n, 2)])
		p.receive()
		p.send(`42["n",1,"offset-1"]`)
		p.receive()
	})
	c, err := conn.New(url, conn.Config{Reconnect: soon})
	require.NoError(t, err)
	numbers := conn.Topic[int](c, "n").Chan(t.Context())
	states := c.States.Subscribe(t.Context(), bus.Only(func(s conn.State) bool { return s.Phase == conn.Ready })).C()
	run(t, c)
	for _, want := range []struct{ said, id string }{{"40", "a"}, {`first`, "b"}, {`second`, "c"}} {
		assert.Contains(t, receiveFrom(t, said), want.said)
		state := receiveFrom(t, states)
		assert.False(t, state.Recovered)
		assert.Equal(t, want.id, state.SessionID)
		require.NoError(t, c.Emit(t.Context(), "go"))
		receiveFrom(t, numbers)
		if want.id != "c" {
			require.NoError(t, c.Emit(t.Context(), "cut"))
		}
	}
}

// With recovery on, an event without arguments still has one.
func TestAnOffsetIsNoPayload(t *testing.T) {
	url, _ := connects(t, `40{"sid":"socket-1","pid":"private"}`, func(p *peer) {
		p.receive()
		p.send(`42["tick","offset-1"]`)
		p.send(`42["tick",{"n":1},"offset-2"]`)
		p.send(`42["tick",true,"offset-3"]`)
		p.untilGone()
	})
	c, _, _ := start(t, url, conn.Config{})
	type tick struct{ N int }
	ticks := conn.Topic[tick](c, "tick").Chan(t.Context())
	failures := c.DecodeErrors.Chan(t.Context())
	require.NoError(t, c.Emit(t.Context(), "go"))
	assert.Equal(t, tick{}, receiveFrom(t, ticks))
	assert.Equal(t, tick{1}, receiveFrom(t, ticks))
	assert.Equal(t, `["tick",true,"offset-3"]`, string(receiveFrom(t, failures).Raw))
}
