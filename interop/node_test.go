package interop

import (
	"context"
	"testing"
	"time"

	"github.com/seed67206a74/parley/interop/nodetest"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// backend is the chat backend, in a Node process of its own.
type backend = nodetest.Backend

func startBackend(t *testing.T, env ...string) *backend {
	t.Helper()
	return nodetest.Start(t, "server.js", env...)
}

// within is the time after which a hanging test gives up.
func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// receiveFrom takes the next value off a channel.
func receiveFrom[T any](t *testing.T, ch <-chan T) T {
	t.Helper()
	select {
	case v, ok := <-ch:
		require.True(t, ok, "channel closed")
		return v
	case <-time.After(30 * time.Second):
		require.FailNow(t, "nothing came")
		panic("unreachable")
	}
}
