package conn_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A heldTank is a tank whose first event is written slowly. TryWrite refuses
// several messages in one call, as the websocket refuses a long batch.
type heldTank struct {
	*tank
	first chan struct{} // closed when the first event can be written
}

func (p *heldTank) Dial(context.Context, conn.Endpoint) (conn.Engine, error) { return p, nil }

func (p *heldTank) TryWrite(messages ...conn.Message) (taken, more bool, err error) {
	if len(messages) > 1 {
		return false, false, nil
	}
	<-p.first
	return p.tank.TryWrite(messages...)
}

func TestEmit_writesRefusedBatchOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &heldTank{newTank(1 << 20), make(chan struct{})}
		p.fromServer <- `0{"sid":"socket-1"}`
		c, err := conn.New("http://localhost", conn.Config{Dialer: p})
		require.NoError(t, err)
		wiretest.Run(t, c)
		require.NoError(t, c.Ready(t.Context()))
		for n := range 3 {
			go func() { assert.NoError(t, c.Emit(t.Context(), "event", n)) }()
			synctest.Wait() // the first is being written, the others wait
		}
		close(p.first)
		synctest.Wait()
		assert.Equal(t, []string{`2["event",0]`, `2["event",1]`, `2["event",2]`}, p.events())
	})
}
