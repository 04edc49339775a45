package conn_test

import (
	"runtime"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// hostileLimit is Config.MaxFrame of these tests. hostileMemory limits the
// bytes that both ends of a row allocate.
const (
	hostileLimit  = 1 << 20
	hostileMemory = 16 << 20
)

// allocates runs f and returns the bytes that it allocated.
func allocates(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// sendEndless writes a message of the given size in frames of 16 KiB.
func sendEndless(p *wiretest.Peer, size int) {
	chunk := []byte(strings.Repeat("x", 16<<10))
	w, err := p.WS.NextWriter(websocket.TextMessage)
	if err != nil {
		return
	}
	for n := 0; n < size; n += len(chunk) {
		if _, err := w.Write(chunk); err != nil {
			return
		}
	}
	_ = w.Close()
}

func nested(name string, depth int) string {
	return `42["` + name + `",` + strings.Repeat("[", depth) + strings.Repeat("]", depth) + `]`
}

func TestRun_keepsSessionOnUnexpectedPackets(t *testing.T) {
	for name, play := range map[string]func(p *wiretest.Peer){
		"an event that nests 100,000 deep":            func(p *wiretest.Peer) { p.Send(nested("heard", 100_000)) },
		"an unheard one that does":                    func(p *wiretest.Peer) { p.Send(nested("unheard", 100_000)) },
		"an unheard one that is broken":               func(p *wiretest.Peer) { p.Send(`42["unheard",{]`) },
		"an acknowledgement of nothing":               func(p *wiretest.Peer) { p.Send(`4399["x"]`); p.Send(`430[]`) },
		"a binary one of nothing":                     func(p *wiretest.Peer) { p.Send(`461-99[{}]`); p.SendBinary([]byte("x")) },
		"CONNECT twice":                               func(p *wiretest.Peer) { p.Send(`40{"sid":"another"}`) },
		"an event of another namespace":               func(p *wiretest.Peer) { p.Send(`42/other,["heard","theirs"]`) },
		"DISCONNECT of another namespace":             func(p *wiretest.Peer) { p.Send(`41/other,`) },
		"a binary event of another":                   func(p *wiretest.Peer) { p.Send(`451-/other,["heard",{}]`); p.SendBinary([]byte("x")) },
		"a placeholder of nothing":                    func(p *wiretest.Peer) { p.Send(`451-["heard",{"_placeholder":true,"num":7}]`); p.SendBinary(nil) },
		"an event whose attachments nobody refers to": func(p *wiretest.Peer) { p.Send(`452-["unheard"]`); p.SendBinary(nil); p.SendBinary(nil) },
		"a thousand acknowledgements of nothing": func(p *wiretest.Peer) {
			for range 1000 {
				p.Send(`4399["x"]`)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			c, ended, _ := start(t, wiretest.Serve(t, func(p *wiretest.Peer) {
				p.Welcome()
				p.Receive()
				play(p)
				p.Send(`42["heard","after"]`)
				p.UntilGone()
			}), conn.Config{MaxFrame: hostileLimit})
			heard := conn.On[any](c, "heard").Chan(t.Context())
			allocated := allocates(func() {
				require.NoError(t, c.Emit(t.Context(), "go"))
				assert.Equal(t, "after", wiretest.ReceiveFrom(t, heard))
			})
			assert.Less(t, allocated, uint64(hostileMemory))
			assert.Empty(t, ended)
			assert.Equal(t, "socket-1", c.State().SessionID)
		})
	}
}

func TestMaxNesting_rejectsDeeplyNestedEvent(t *testing.T) {
	c, _, _ := start(t, sends(t, nested("heard", 10), nested("heard", 9)), conn.Config{MaxNesting: 10})
	heard := conn.On[any](c, "heard").Chan(t.Context())
	failures := c.DecodeErrors.Chan(t.Context())
	require.NoError(t, c.Emit(t.Context(), "go"))
	failure := wiretest.ReceiveFrom(t, failures)
	assert.ErrorIs(t, failure, conn.ErrTooDeep)
	assert.Equal(t, "heard", failure.Event)
	wiretest.ReceiveFrom(t, heard)
}

func TestCall_rejectsDeeplyNestedAcknowledgement(t *testing.T) {
	c, _, _ := start(t, wiretest.Serve(t, func(p *wiretest.Peer) {
		p.Welcome()
		p.Receive()
		p.Send("430" + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000))
		p.UntilGone()
	}), conn.Config{})
	_, err := conn.Call[any](t.Context(), c, "ask")
	var failed *conn.DecodeError
	require.ErrorAs(t, err, &failed)
	assert.ErrorIs(t, err, conn.ErrTooDeep)
}

func TestRun_returnsProtocolErrorOnInvalidPackets(t *testing.T) {
	for name, play := range map[string]func(p *wiretest.Peer){
		"a message of 64 MiB":              func(p *wiretest.Peer) { sendEndless(p, 64<<20) },
		"binary when none is due":          func(p *wiretest.Peer) { p.SendBinary([]byte("x")) },
		"an attachment that does not come": func(p *wiretest.Peer) { p.Send(`452-["x"]`); p.SendBinary(nil); p.Send(`42["x"]`) },
		"two billion attachments":          func(p *wiretest.Peer) { p.Send(`452147483647-["x"]`) },
		"more attachments than the limit":  func(p *wiretest.Peer) { p.Send(`4511-["x"]`) },
		"attachments too large together": func(p *wiretest.Peer) {
			p.Send(`452-["x"]`)
			p.SendBinary(make([]byte, 1<<20))
			p.SendBinary([]byte("x"))
		},
		"a name that never ends":              func(p *wiretest.Peer) { p.Send(`42["` + strings.Repeat("x", 100_000)) },
		"half a packet":                       func(p *wiretest.Peer) { p.Send(`4`) },
		"a frame without even a type":         func(p *wiretest.Peer) { p.Send(``) },
		"an upgrade packet out of the blue":   func(p *wiretest.Peer) { p.Send(`5`); p.Send(`7`) },
		"a namespace that never ends":         func(p *wiretest.Peer) { p.Send(`42/` + strings.Repeat("x", 100_000)) },
		"an attachment count with no payload": func(p *wiretest.Peer) { p.Send(`451-`) },
	} {
		t.Run(name, func(t *testing.T) {
			c, ended, _ := start(t, wiretest.Serve(t, func(p *wiretest.Peer) {
				p.Welcome()
				p.Receive()
				play(p)
				p.UntilGone()
			}), conn.Config{MaxFrame: hostileLimit, Reconnect: noRetry})
			allocated := allocates(func() {
				require.NoError(t, c.Emit(t.Context(), "go"))
				var protocol *conn.ProtocolError
				assert.ErrorAs(t, wiretest.ReceiveFrom(t, ended), &protocol)
			})
			assert.Less(t, allocated, uint64(hostileMemory))
		})
	}
}

// The server announces attachments and then sends only pings. The memory for
// the attachments is bounded, and the heartbeat still ends the session.
func TestRun_timesOutWithIncompleteBinaryEvent(t *testing.T) {
	c, ended, _ := start(t, wiretest.Serve(t, func(p *wiretest.Peer) {
		p.Send(`0{"sid":"e","pingInterval":20,"pingTimeout":30}`)
		p.Receive()
		p.Send(`40{"sid":"s"}`)
		p.Send(`4510-["x"]`)
		for range 9 {
			p.SendBinary(nil)
			p.Send(`2`)
			p.Receive()
		}
		p.UntilGone()
	}), conn.Config{Reconnect: noRetry})
	require.NoError(t, c.Ready(t.Context()))
	assert.ErrorIs(t, wiretest.ReceiveFrom(t, ended), conn.ErrPingTimeout)
}
