package wiretest

import (
	"context"
	"testing"
	"time"

	"github.com/seed67206a74/parley/conn"
	"github.com/stretchr/testify/require"
)

// timeout bounds every wait, so that a broken test reports where it hangs.
const timeout = time.Minute

// Context returns a context that ends with the test, or when the test hangs.
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

// Run runs r until stop is called, which waits until r.Run has returned, or
// until the test ends, when it closes r as well. The result of r.Run arrives on
// ended.
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

// ReceiveFrom receives the next value from a channel, which must not be closed.
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

// ReceivePhase receives states until one has the given phase, and returns it.
func ReceivePhase(t testing.TB, states <-chan conn.State, phase conn.Phase) conn.State {
	t.Helper()
	for {
		if state := ReceiveFrom(t, states); state.Phase == phase {
			return state
		}
	}
}
