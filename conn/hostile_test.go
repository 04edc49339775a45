package conn_test

import (
	"runtime"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
	"github.com/seed67206a74/parley/conn"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// hostileLimit is Config.MaxFrame here; hostileMemory is what both ends of a
// row may allocate, all in all.
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
func (p *peer) sendEndless(size int) {
	chunk := []byte(strings.Repeat("x", 16<<10))
	w, err := p.ws.NextWriter(websocket.TextMessage)
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

func TestWhatEndsNoSessionIsPassedOver(t *testing.T) {
	for name, play := range map[string]func(p *peer){
		"an event that nests 100,000 deep":            func(p *peer) { p.send(nested("heard", 100_000)) },
		"an unheard one that does":                    func(p *peer) { p.send(nested("unheard", 100_000)) },
		"an unheard one that is broken":               func(p *peer) { p.send(`42["unheard",{]`) },
		"an acknowledgement of nothing":               func(p *peer) { p.send(`4399["x"]`); p.send(`430[]`) },
		"a binary one of nothing":                     func(p *peer) { p.send(`461-99[{}]`); p.sendBinary([]byte("x")) },
		"CONNECT twice":                               func(p *peer) { p.send(`40{"sid":"another"}`) },
		"a refusal after the welcome":                 func(p *peer) { p.send(`44{"message":"too late"}`) },
		"an event of another namespace":               func(p *peer) { p.send(`42/other,["heard","theirs"]`) },
		"a goodbye from another namespace":            func(p *peer) { p.send(`41/other,`) },
		"a binary event of another":                   func(p *peer) { p.send(`451-/other,["heard",{}]`); p.sendBinary([]byte("x")) },
		"a placeholder of nothing":                    func(p *peer) { p.send(`451-["heard",{"_placeholder":true,"num":7}]`); p.sendBinary(nil) },
		"an event whose attachments nobody refers to": func(p *peer) { p.send(`452-["unheard"]`); p.sendBinary(nil); p.sendBinary(nil) },
		"a thousand acknowledgements of nothing": func(p *peer) {
			for range 1000 {
				p.send(`4399["x"]`)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			c, ended, _ := start(t, serveRaw(t, func(p *peer) {
				p.welcome()
				p.receive()
				play(p)
				p.send(`42["heard","after"]`)
				p.untilGone()
			}), conn.Config{MaxFrame: hostileLimit})
			heard := conn.Topic[any](c, "heard").Chan(t.Context())
			allocated := allocates(func() {
				require.NoError(t, c.Emit(t.Context(), "go"))
				assert.Equal(t, "after", receiveFrom(t, heard))
			})
			assert.Less(t, allocated, uint64(hostileMemory))
			assert.Empty(t, ended)
			assert.Equal(t, "socket-1", c.State().SessionID)
		})
	}
}

func TestAnEventThatNestsTooDeepIsADecodeError(t *testing.T) {
	c, _, _ := start(t, sends(t, nested("heard", 10), nested("heard", 9)), conn.Config{MaxNesting: 10})
	heard := conn.Topic[any](c, "heard").Chan(t.Context())
	failures := c.DecodeErrors.Chan(t.Context())
	require.NoError(t, c.Emit(t.Context(), "go"))
	failure := receiveFrom(t, failures)
	assert.ErrorIs(t, failure, conn.ErrTooDeep)
	assert.Equal(t, "heard", failure.Event)
	receiveFrom(t, heard)
}

func TestAnAcknowledgementThatNestsTooDeepIsADecodeError(t *testing.T) {
	c, _, _ := start(t, serveRaw(t, func(p *peer) {
		p.welcome()
		p.receive()
		p.send("430" + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000))
		p.untilGone()
	}), conn.Config{})
	_, err := conn.Call[any](t.Context(), c, "ask")
	var failed *conn.DecodeError
	require.ErrorAs(t, err, &failed)
	assert.ErrorIs(t, err, conn.ErrTooDeep)
}

func TestWhatEndsASessionIsTyped(t *testing.T) {
	for name, play := range map[string]func(p *peer){
		"a message of 64 MiB":                 func(p *peer) { p.sendEndless(64 << 20) },
		"binary when none is due":             func(p *peer) { p.sendBinary([]byte("x")) },
		"an attachment that does not come":    func(p *peer) { p.send(`452-["x"]`); p.sendBinary(nil); p.send(`42["x"]`) },
		"two billion attachments":             func(p *peer) { p.send(`452147483647-["x"]`) },
		"more attachments than the limit":     func(p *peer) { p.send(`4511-["x"]`) },
		"attachments too large together":      func(p *peer) { p.send(`452-["x"]`); p.sendBinary(make([]byte, 1<<20)); p.sendBinary([]byte("x")) },
		"a name that never ends":              func(p *peer) { p.send(`42["` + strings.Repeat("x", 100_000)) },
		"half a packet":                       func(p *peer) { p.send(`4`) },
		"a frame without even a type":         func(p *peer) { p.send(``) },
		"an upgrade packet out of the blue":   func(p *peer) { p.send(`5`); p.send(`7`) },
		"a namespace that never ends":         func(p *peer) { p.send(`42/` + strings.Repeat("x", 100_000)) },
		"an attachment count with no payload": func(p *peer) { p.send(`451-`) },
	} {
		t.Run(name, func(t *testing.T) {
			c, ended, _ := start(t, serveRaw(t, func(p *peer) {
				p.welcome()
				p.receive()
				play(p)
				p.untilGone()
			}), conn.Config{MaxFrame: hostileLimit, Reconnect: noRetry})
			allocated := allocates(func() {
				require.NoError(t, c.Emit(t.Context(), "go"))
				var protocol *conn.ProtocolError
				assert.ErrorAs(t, receiveFrom(t, ended), &protocol)
			})
			assert.Less(t, allocated, uint64(hostileMemory))
		})
	}
}

// Announced, and then nothing but pings: what waits for the attachments is
// bounded, and the session lives as long as its heartbeat.
func TestAttachmentsThatNeverComeCostOneHeader(t *testing.T) {
	c, ended, _ := start(t, serveRaw(t, func(p *peer) {
		p.send(`0{"sid":"e","pingInterval":20,"pingTimeout":30}`)
		p.receive()
		p.send(`40{"sid":"s"}`)
		p.send(`4510-["x"]`)
		for range 9 {
			p.sendBinary(nil)
			p.send(`2`)
			p.receive()
		}
		p.untilGone()
	}), conn.Config{Reconnect: noRetry})
	require.NoError(t, c.Ready(t.Context()))
	assert.ErrorIs(t, receiveFrom(t, ended), conn.ErrPingTimeout)
}
