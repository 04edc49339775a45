package conn_test

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/seed67206a74/parley/reconnect"
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

// A closingTank reports a write after the close of its socket.
type closingTank struct {
	*tank
	late atomic.Bool
}

func (p *closingTank) Dial(context.Context, conn.Endpoint) (conn.Engine, error) { return p, nil }

func (p *closingTank) Write(messages ...conn.Message) error {
	select {
	case <-p.gone:
		p.late.Store(true)
	default:
	}
	return p.tank.Write(messages...)
}

// The session may end before its reader has begun.
func TestOnConnect_errorDisconnectsBeforeClose(t *testing.T) {
	for range 300 {
		p := &closingTank{tank: newTank(1 << 20)}
		p.fromServer <- `0{"sid":"socket-1"}`
		broken := reconnect.Permanent(errors.New("broken"))
		c, err := conn.New("http://localhost", conn.Config{
			Dialer:    p,
			Logger:    slog.New(slog.DiscardHandler),
			OnConnect: func(context.Context, *conn.Session) error { return broken },
		})
		require.NoError(t, err)
		require.Error(t, c.Run(t.Context()))
		require.False(t, p.late.Load(), "DISCONNECT is written to an open socket")
	}
}
