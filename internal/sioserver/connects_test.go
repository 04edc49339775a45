package sioserver_test

import (
	"context"
	"log/slog"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/internal/sioserver"
	"github.com/seed67206a74/parley/reconnect"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
)

// connects returns how often to connect over each transport: the value of
// PARLEY_CONNECTS, or 500.
func connects(t *testing.T) int {
	value := os.Getenv("PARLEY_CONNECTS")
	if value == "" {
		return 500
	}
	n, err := strconv.Atoi(value)
	require.NoError(t, err)
	return n
}

func TestConnects_areAllAnswered(t *testing.T) {
	for name, transports := range map[string][]string{
		"websocket":         {conn.WebSocket},
		"polling":           {conn.Polling},
		"polling→websocket": {conn.Polling, conn.WebSocket},
	} {
		t.Run(name, func(t *testing.T) {
			r := serve(t, sioserver.Config{})
			var workers errgroup.Group
			workers.SetLimit(16)
			for range connects(t) {
				workers.Go(func() error { return connectOnce(t.Context(), r.url, transports) })
			}
			require.NoError(t, workers.Wait())
		})
	}
}

// connectOnce connects, calls an event and closes. An unanswered connect fails,
// since it is not retried.
func connectOnce(ctx context.Context, url string, transports []string) error {
	c, err := conn.New(url[:len(url)-len("/socket.io/")], conn.Config{
		Transports: transports,
		Logger:     slog.New(slog.DiscardHandler),
		Reconnect:  reconnect.Policy{MaxAttempts: -1},
	})
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	ctx, cancel := context.WithTimeout(ctx, time.Minute) // so that a test that hangs fails
	defer cancel()
	go func() { ended <- c.Run(ctx) }() // ends with Close
	_, err = conn.Call[int](ctx, c, "message-with-ack", 1)
	_ = c.Close()
	if gone := <-ended; err == nil {
		err = gone
	}
	return err
}
