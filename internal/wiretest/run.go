package wiretest

import (
	"context"
	"testing"
	"time"

	"github.com/seed67206a74/parley/conn"
	"github.com/stretchr/testify/require"
)

// timeout limits each wait, so that a test that hangs reports the place.
const timeout = time.Minute

// Context returns a context that ends with the test, or after a minute.
func Context(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	t.Cleanup(cancel)
	return ctx
}

// A Runner is a *conn.Conn or a *chat.Client.
type Runner interface {
	Run(ctx context.Context) error
	Close() error
}

// Run runs r until stop is called or the test ends. stop waits until r.Run has
// returned. At the end of the test, r is closed as well. The result of r.Run
// arrives on ended.
func Run(t testing.TB, r Runner) (ended <-chan error, stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	result, returned := make(chan error, 1), make(chan struct{})
	go func() { // ends with ctx
		defer close(returned)
		result <- r.Run(ctx)
	}()
	stop = func() {
		cancel()
		<-returned
	}
	t.Cleanup(func() {
		stop()
		_ = r.Close()
	})
	return result, stop
}

// ReceiveFrom returns the next value of a channel. The test fails if the
// channel is closed, or after a minute.
func ReceiveFrom[T any](t testing.TB, ch <-chan T) T {
	t.Helper()
	select {
	case v, ok := <-ch:
		require.True(t, ok, "channel closed")
		return v
	case <-time.After(timeout):
		require.FailNow(t, "nothing received")
		panic("unreachable")
	}
}

// ReceivePhase returns the next state with the given phase, and drops the
// states before it.
func ReceivePhase(t testing.TB, states <-chan conn.State, phase conn.Phase) conn.State {
	t.Helper()
	for {
		if state := ReceiveFrom(t, states); state.Phase == phase {
			return state
		}
	}
}
