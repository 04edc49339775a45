package chatnats

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/require"
)

// patience is how long a test waits for an expected event.
const patience = time.Minute

func newServer(t testing.TB) *Server {
	server, err := Embedded(t.TempDir())
	require.NoError(t, err)
	t.Cleanup(server.Close)
	return server
}

// connect connects like a service, with unlimited reconnects.
func connect(t testing.TB, url string) *nats.Conn {
	conn, err := nats.Connect(url, nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond), nats.RetryOnFailedConnect(true))
	require.NoError(t, err)
	t.Cleanup(conn.Close)
	return conn
}

func newBus(t testing.TB, url string, cfg Config) *Bus {
	cfg.Logger = slog.New(slog.DiscardHandler)
	b, err := Open(wiretest.Context(t), connect(t, url), cfg)
	require.NoError(t, err)
	return b
}

// running runs f until the test ends, and requires that it returns nil.
func running(t testing.TB, f func(ctx context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f(ctx) }() // ends with ctx
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		select {
		case err := <-done:
			if err != nil && ctx.Err() == nil {
				t.Errorf("ended with %v", err)
			}
		case <-time.After(patience):
			stacks := make([]byte, 1<<20)
			t.Errorf("does not end\n%s", stacks[:runtime.Stack(stacks, true)])
		}
	}
	t.Cleanup(stop)
	return stop
}

func token(chat, request string, index int) events.AIToken {
	return events.AIToken{
		ChatID: events.StringID(chat), RequestID: request, Token: fmt.Sprintf("%s-%d ", request, index), Index: index,
	}
}

func message(chat, request string) events.AIMessage {
	return events.AIMessage{
		ChatID: events.StringID(chat), RequestID: request, MessageID: request + "-answer", Role: "assistant",
		Text: "done", CreatedAt: time.Unix(1_700_000_000, 0).UTC(),
	}
}

// forwarding forwards a topic until the test ends.
func forwarding(t testing.TB, b *Bus, topic *bus.Topic[events.Event]) *Forwarding {
	ctx, cancel := context.WithCancel(context.Background())
	f, err := Forward(ctx, b, topic.Source(), ForwardConfig{})
	require.NoError(t, err)
	t.Cleanup(func() {
		cancel()
		_ = f.Wait()
	})
	return f
}
