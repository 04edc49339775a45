//go:build !race

package conn_test

import (
	"encoding/base64"
	"encoding/binary"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const bigSize = 10 << 20

// The race detector adds memory, so this test runs without it.
func TestEmit_allocationsOfBigThings(t *testing.T) {
	url := wiretest.Serve(t, func(p *wiretest.Peer) {
		p.Welcome()
		_, _ = io.Copy(io.Discard, p.WS.NetConn())
	})
	c, _, _ := start(t, url, conn.Config{})
	require.NoError(t, c.Ready(t.Context()))
	for name, big := range map[string]any{
		"message":    strings.Repeat("x", bigSize),
		"attachment": make([]byte, bigSize),
	} {
		t.Run(name, func(t *testing.T) {
			used := allocated(func() { require.NoError(t, c.Emit(t.Context(), "big", big)) })
			t.Logf("%.2f times the size", used)
			assert.LessOrEqual(t, used, 2.5)
		})
	}
}

func TestOn_allocationsOfBigThings(t *testing.T) {
	const header = `451-["big",{"_placeholder":true,"num":0}]`
	text := `42["big","` + strings.Repeat("x", bigSize) + `"]`
	data := make([]byte, bigSize)
	t.Run("message", func(t *testing.T) {
		frame := bigFrame(0x81, text)
		receiveBig[string](t, wiretest.Serve(t, func(p *wiretest.Peer) {
			p.Welcome()
			_ = p.Receive()
			_, _ = p.WS.NetConn().Write(frame)
			p.UntilGone()
		}))
	})
	t.Run("attachment", func(t *testing.T) {
		frame := bigFrame(0x82, string(data))
		receiveBig[[]byte](t, wiretest.Serve(t, func(p *wiretest.Peer) {
			p.Welcome()
			_ = p.Receive()
			p.Send(header)
			_, _ = p.WS.NetConn().Write(frame)
			p.UntilGone()
		}))
	})
	t.Run("message over long-polling", func(t *testing.T) {
		receiveBig[string](t, wiretest.ServePolling(t, func(p *wiretest.PollingPeer) {
			p.Welcome()
			_ = p.Receive()
			p.Send(text)
		}))
	})
	t.Run("attachment over long-polling", func(t *testing.T) {
		body := header + "\x1eb" + base64.StdEncoding.EncodeToString(data)
		receiveBig[[]byte](t, wiretest.ServePolling(t, func(p *wiretest.PollingPeer) {
			p.Welcome()
			_ = p.Receive()
			p.Send(body)
		}))
	})
}

// bigFrame returns a websocket frame. It is made before the measurement.
func bigFrame(kind byte, payload string) []byte {
	return append(binary.BigEndian.AppendUint64([]byte{kind, 127}, uint64(len(payload))), payload...)
}

// receiveBig receives one event of bigSize bytes from a server that sends it
// after an event of the client.
func receiveBig[T ~string | ~[]byte](t *testing.T, url string) {
	transport := conn.WebSocket
	if strings.Contains(t.Name(), "polling") {
		transport = conn.Polling
	}
	c, _, _ := start(t, url, conn.Config{Transports: []string{transport}})
	events := conn.On[T](c, "big").Chan(t.Context())
	require.NoError(t, c.Ready(t.Context()))
	var got T
	used := allocated(func() {
		require.NoError(t, c.Emit(t.Context(), "go"))
		got = wiretest.ReceiveFrom(t, events)
	})
	require.Len(t, got, bigSize)
	t.Logf("%.2f times the size", used)
	assert.LessOrEqual(t, used, 2.5)
}

// allocated returns the bytes that f allocates, as a multiple of bigSize.
func allocated(f func()) float64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return float64(after.TotalAlloc-before.TotalAlloc) / bigSize
}
