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

// An observer that ends its goroutine ends no more than that: the next call and
// the next Run succeed, and no session remains open.
func TestObservers_mayEndTheirGoroutine(t *testing.T) {
	for name, observer := range map[string]func(end func()) any{
		"OnState":        func(end func()) any { return stateFunc(end) },
		"OnSessionBegin": func(end func()) any { return sessionBeginFunc(end) },
		"OnSessionEnd":   func(end func()) any { return sessionEndFunc(end) },
		"OnFrameRead":    func(end func()) any { return frameReadFunc(end) },
		"OnFrameWritten": func(end func()) any { return frameWrittenFunc(end) },
		"OnSlow":         func(end func()) any { return slowFunc(end) },
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
			var ended atomic.Bool
			c, err := conn.New(url, conn.Config{Reconnect: soon, Observers: []any{observer(func() {
				if !ended.Swap(true) {
					runtime.Goexit()
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
			assert.True(t, ended.Load(), "the observer was called")
			stop()
			<-running
			require.NoError(t, c.Close())
			sessions.Wait()
		})
	}
}
