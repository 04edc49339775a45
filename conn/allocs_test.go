//go:build !race

package conn_test

import (
	"io"
	"testing"

	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The race detector adds allocations, so this test runs without it.
func TestEmit_allocations(t *testing.T) {
	url := wiretest.Serve(t, func(p *wiretest.Peer) {
		p.Welcome()
		_, _ = io.Copy(io.Discard, p.WS.NetConn())
	})
	c, _, _ := start(t, url, conn.Config{})
	require.NoError(t, c.Ready(t.Context()))
	type payload struct {
		Name  string   `json:"name"`
		Count int      `json:"count"`
		Tags  []string `json:"tags"`
	}
	p := payload{"hello", 12, []string{"a", "b"}}
	assert.LessOrEqual(t, testing.AllocsPerRun(1000, func() {
		if err := c.Emit(t.Context(), "event", p); err != nil {
			t.Error(err)
		}
	}), 5.0)
}
