package conn_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/seed67206a74/parley/reconnect"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// errWaits stands for a call that waits until its ctx ends.
var errWaits = context.DeadlineExceeded

// A moment is a phase in the life of a Conn, with the expected results of its
// methods.
type moment struct {
	bring func(t *testing.T) *conn.Conn // returns a Conn in that phase

	phase  conn.Phase
	ready  error // Ready, Emit, Call
	try    error // TryEmit
	begin  error // Hold
	health error
	run    error // nil: Run runs
}

// Each row is a phase. The exported methods are called twice in it, from
// several goroutines at once.
func TestConn_returnsExpectedErrorsInEveryPhase(t *testing.T) {
	echo := wiretest.Serve(t, func(p *wiretest.Peer) {
		p.Welcome()
		for frame := p.Receive(); frame != ""; frame = p.Receive() {
			if len(frame) > 3 && frame[2] != '[' { // 42<id>["call"]
				id := frame[2 : len(frame)-len(`["call"]`)]
				p.Send("43" + id + `["reply"]`)
			}
		}
	})
	kicking := wiretest.Serve(t, func(p *wiretest.Peer) { p.Welcome(); p.Send("41"); p.UntilGone() })
	silent := wiretest.Serve(t, func(p *wiretest.Peer) { p.UntilGone() })
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()

	create := func(t *testing.T, url string, cfg conn.Config) *conn.Conn {
		c, err := conn.New(url, cfg)
		require.NoError(t, err)
		t.Cleanup(func() { assert.NoError(t, c.Close()) })
		return c
	}
	until := func(t *testing.T, c *conn.Conn, phase conn.Phase) *conn.Conn {
		require.Eventually(t, func() bool { return c.State().Phase == phase }, time.Minute, time.Millisecond)
		return c
	}
	running := func(t *testing.T, url string, cfg conn.Config, phase conn.Phase) *conn.Conn {
		c := create(t, url, cfg)
		wiretest.Run(t, c)
		return until(t, c, phase)
	}
	patient := reconnect.Policy{InitialInterval: time.Hour, MaxInterval: time.Hour}

	for name, m := range map[string]moment{
		"before Run": {
			func(t *testing.T) *conn.Conn { return create(t, echo, conn.Config{}) },
			conn.Idle, errWaits, conn.ErrNotReady, nil, conn.ErrNotReady, nil,
		},
		"connecting": {
			func(t *testing.T) *conn.Conn { return running(t, silent, conn.Config{}, conn.Connecting) },
			conn.Connecting, errWaits, conn.ErrNotReady, nil, conn.ErrNotReady, conn.ErrRunning,
		},
		"connected": {
			func(t *testing.T) *conn.Conn {
				return running(t, echo, conn.Config{OnConnect: func(ctx context.Context, _ *conn.Session) error { <-ctx.Done(); return ctx.Err() }}, conn.Connected)
			},
			conn.Connected, errWaits, conn.ErrNotReady, nil, conn.ErrNotReady, conn.ErrRunning,
		},
		"ready": {
			func(t *testing.T) *conn.Conn { return running(t, echo, conn.Config{}, conn.Ready) },
			conn.Ready, nil, nil, nil, nil, conn.ErrRunning,
		},
		"waiting": {
			func(t *testing.T) *conn.Conn {
				return running(t, gone.URL, conn.Config{Reconnect: patient}, conn.Waiting)
			},
			conn.Waiting, errWaits, conn.ErrNotReady, nil, conn.ErrNotReady, conn.ErrRunning,
		},
		"stopped by its ctx": {
			func(t *testing.T) *conn.Conn {
				c := create(t, echo, conn.Config{})
				ended, cancel := wiretest.Run(t, c)
				require.NoError(t, c.Ready(t.Context()))
				cancel()
				require.NoError(t, wiretest.ReceiveFrom(t, ended))
				return c
			},
			conn.Stopped, errWaits, conn.ErrNotReady, nil, conn.ErrNotReady, nil,
		},
		"stopped for good": {
			func(t *testing.T) *conn.Conn {
				c := create(t, kicking, conn.Config{})
				ended, _ := wiretest.Run(t, c)
				require.ErrorIs(t, wiretest.ReceiveFrom(t, ended), conn.ErrDisconnected)
				return c
			},
			conn.Stopped, conn.ErrDisconnected, conn.ErrNotReady, nil, conn.ErrNotReady, conn.ErrDisconnected,
		},
		"shutting down": {
			func(t *testing.T) *conn.Conn {
				c := running(t, echo, conn.Config{}, conn.Ready)
				_, done, err := c.Hold(t.Context())
				require.NoError(t, err)
				down := make(chan error, 1)
				go func() { down <- c.Shutdown(context.Background()) }()
				t.Cleanup(func() { done(); assert.NoError(t, wiretest.ReceiveFrom(t, down)) })
				require.Eventually(t, func() bool { return c.Health() != nil }, time.Minute, time.Millisecond)
				return c
			},
			conn.Ready, conn.ErrClosed, conn.ErrClosed, conn.ErrClosed, conn.ErrNotReady, conn.ErrRunning,
		},
		"closed": {
			func(t *testing.T) *conn.Conn {
				c := running(t, echo, conn.Config{}, conn.Ready)
				require.NoError(t, c.Close())
				return c
			},
			conn.Stopped, conn.ErrClosed, conn.ErrClosed, conn.ErrClosed, conn.ErrClosed, conn.ErrClosed,
		},
		"closed before Run": {
			func(t *testing.T) *conn.Conn {
				c := create(t, echo, conn.Config{})
				require.NoError(t, c.Close())
				return c
			},
			conn.Idle, conn.ErrClosed, conn.ErrClosed, conn.ErrClosed, conn.ErrClosed, conn.ErrClosed,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := m.bring(t)
			var all sync.WaitGroup
			for range 4 {
				all.Go(func() {
					for range 2 {
						m.check(t, c)
					}
				})
			}
			all.Wait()
			m.checkRun(t, c)
		})
	}
}

func (m moment) check(t *testing.T, c *conn.Conn) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	if errors.Is(m.ready, errWaits) {
		cancel()
		ctx, cancel = context.WithTimeout(t.Context(), 20*time.Millisecond)
	}
	defer cancel()
	assert.Equal(t, m.phase, c.State().Phase)
	assert.NotEmpty(t, c.String())
	_ = c.Stats()
	assert.ErrorIs(t, c.Health(), m.health)
	if m.phase != conn.Ready || m.ready == nil { // during Shutdown, Ready still returns nil
		assert.ErrorIs(t, c.Ready(ctx), m.ready)
	}
	assert.ErrorIs(t, c.Emit(ctx, "emit"), m.ready)
	_, err := conn.Call[string](ctx, c, "call")
	assert.ErrorIs(t, err, m.ready)
	assert.ErrorIs(t, c.TryEmit("try"), m.try)
	_, done, err := c.Hold(t.Context())
	assert.ErrorIs(t, err, m.begin)
	if err == nil {
		done()
	}

	stop := conn.Handle(c, "handled", func(context.Context, int) (int, error) { return 0, nil })
	stop()
	stop()
	sub := conn.On[int](c, "topic").Subscribe(ctx)
	if errors.Is(m.run, conn.ErrClosed) {
		_, open := <-sub.C()
		assert.False(t, open, "a subscription made after Close is closed")
	}
	sub.Close()
}

// checkRun is called last, because a successful Run changes the phase.
func (m moment) checkRun(t *testing.T, c *conn.Conn) {
	ctx, cancel := context.WithCancel(t.Context())
	if m.run == nil {
		cancel()
	}
	defer cancel()
	assert.ErrorIs(t, c.Run(ctx), m.run)

	var all sync.WaitGroup
	for range 4 {
		all.Go(func() { assert.NoError(t, c.Close()) })
	}
	if m.begin == nil { // otherwise Shutdown already runs
		all.Go(func() { assert.NoError(t, c.Shutdown(t.Context())) })
	}
	all.Wait()
	assert.ErrorIs(t, c.Run(t.Context()), conn.ErrClosed)
	assert.ErrorIs(t, c.Emit(t.Context(), "late"), conn.ErrClosed)
}
