package conn_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Observers with one method each.
type (
	stateFunc        func()
	sessionBeginFunc func()
	sessionEndFunc   func()
	frameReadFunc    func()
	frameWrittenFunc func()
	slowFunc         func()
)

func (f stateFunc) OnState(*conn.Conn, conn.State)                     { f() }
func (f sessionBeginFunc) OnSessionBegin(*conn.Conn, *conn.Session)    { f() }
func (f sessionEndFunc) OnSessionEnd(*conn.Conn, *conn.Session, error) { f() }
func (f frameReadFunc) OnFrameRead(*conn.Conn, int)                    { f() }
func (f frameWrittenFunc) OnFrameWritten(*conn.Conn, int)              { f() }
func (f slowFunc) OnSlow(*conn.Conn, bus.SlowEvent)                    { f() }

var errGoexit = errors.New("goroutine ended")

// inGoroutine calls fn in a goroutine, which fn may end.
func inGoroutine(fn func() error) error {
	ended := make(chan error, 1)
	go func() { // ends with fn
		err := errGoexit
		defer func() { ended <- err }()
		err = fn()
	}()
	return <-ended
}

// An observer may use the connection, panic or end its goroutine. The next call
// and the next Run succeed, and no session remains open.
func TestObservers_areHarmless(t *testing.T) {
	for name, act := range map[string]func(c *conn.Conn){
		"uses the connection": func(c *conn.Conn) { _, _ = c.State(), c.Stats() },
		"panics":              func(*conn.Conn) { panic("observer") },
		"ends its goroutine":  func(*conn.Conn) { runtime.Goexit() },
	} {
		t.Run(name, func(t *testing.T) { testObservers(t, act) })
	}
}

func testObservers(t *testing.T, act func(c *conn.Conn)) {
	for name, observer := range map[string]func(do func()) any{
		"OnState":        func(do func()) any { return stateFunc(do) },
		"OnSessionBegin": func(do func()) any { return sessionBeginFunc(do) },
		"OnSessionEnd":   func(do func()) any { return sessionEndFunc(do) },
		"OnFrameRead":    func(do func()) any { return frameReadFunc(do) },
		"OnFrameWritten": func(do func()) any { return frameWrittenFunc(do) },
		"OnSlow":         func(do func()) any { return slowFunc(do) },
	} {
		t.Run(name, func(t *testing.T) {
			var sessions sync.WaitGroup
			url := wiretest.Serve(t, func(p *wiretest.Peer) {
				sessions.Add(1)
				defer sessions.Done()
				p.Welcome()
				for frame := p.Receive(); len(frame) > len(`42["call"]`); frame = p.Receive() {
					p.Send(`42["event"]`)
					p.Send("43" + frame[2:3] + `["reply"]`)
					if frame[2] == '2' {
						return
					}
				}
			})
			var called atomic.Bool
			var c *conn.Conn
			var err error
			c, err = conn.New(url, conn.Config{Reconnect: soon, Observers: []any{observer(func() {
				if !called.Swap(true) {
					act(c)
				}
			})}})
			require.NoError(t, err)
			c.Raw.Subscribe(t.Context(), bus.Limit(1), bus.OnOverflow(bus.DropNewest)) // is slow
			ctx, stop := context.WithCancel(wiretest.Context(t))
			running := make(chan struct{})
			go func() { // ends with ctx
				defer close(running)
				for inGoroutine(func() error { return c.Run(ctx) }) == errGoexit {
				}
			}()
			succeeded := 0
			for succeeded < 5 && ctx.Err() == nil {
				if inGoroutine(func() error { _, err := conn.Call[string](ctx, c, "call"); return err }) == nil {
					succeeded++
				}
			}
			assert.Equal(t, 5, succeeded)
			assert.True(t, called.Load())
			stop()
			<-running
			require.NoError(t, c.Close())
			sessions.Wait()
		})
	}
}
