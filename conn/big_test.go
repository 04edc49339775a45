//go:build !race

package conn_test

import (
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

// allocated returns the bytes that f allocates, as a multiple of bigSize.
func allocated(f func()) float64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return float64(after.TotalAlloc-before.TotalAlloc) / bigSize
}
