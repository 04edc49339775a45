package conn_test

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/seed67206a74/parley/reconnect"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestStates_sendsCurrentStateToNewSubscriber(t *testing.T) {
	c, _, _ := start(t, wiretest.Serve(t, func(p *wiretest.Peer) { p.Welcome(); p.UntilGone() }), conn.Config{})
	require.NoError(t, c.Ready(t.Context()))
	assert.Equal(t, conn.Ready, wiretest.ReceiveFrom(t, c.States.Chan(t.Context())).Phase)
}

func TestStates_reportsErrorAndDelayWhileWaiting(t *testing.T) {
	url := "http://" + wiretest.RefusingAddr(t)
	c, err := conn.New(url, conn.Config{Reconnect: reconnect.Policy{MaxAttempts: 2, InitialInterval: time.Millisecond}})
	require.NoError(t, err)
	states := c.States.Chan(t.Context())
	ended, _ := wiretest.Run(t, c)

	for attempt := 1; attempt <= 2; attempt++ {
		assert.Equal(t, conn.Connecting, wiretest.ReceiveFrom(t, states).Phase)
		waiting := wiretest.ReceiveFrom(t, states)
		assert.Equal(t, conn.Waiting, waiting.Phase)
		assert.Equal(t, attempt, waiting.Attempt)
		assert.Positive(t, waiting.Delay)
		var dial *conn.DialError
		assert.ErrorAs(t, waiting.Err, &dial)
		assert.ErrorContains(t, waiting.Err, "refused")
	}
	var exhausted *reconnect.ExhaustedError
	err = wiretest.ReceiveFrom(t, ended)
	require.ErrorAs(t, err, &exhausted)
	assert.Equal(t, err, c.Ready(t.Context()), "Ready returns the error of Run")
	assert.ErrorIs(t, c.Emit(t.Context(), "x"), err)
}

func TestReady_returnsAfterStatesReportsReady(t *testing.T) {
	slow := slog.New(slog.NewTextHandler(writerFunc(func() { <-time.After(10 * time.Millisecond) }), &slog.HandlerOptions{Level: slog.LevelDebug}))
	c, _, _ := start(t, wiretest.Serve(t, func(p *wiretest.Peer) { p.Welcome(); p.UntilGone() }), conn.Config{Logger: slow})
	require.NoError(t, c.Ready(t.Context()))
	assert.Equal(t, conn.Ready, wiretest.ReceiveFrom(t, c.States.Chan(t.Context())).Phase)
}

type writerFunc func()

func (f writerFunc) Write(p []byte) (int, error) { f(); return len(p), nil }

func TestReady_waitsForNewRun(t *testing.T) {
	release := make(chan struct{})
	var sessions atomic.Int32
	c, ended, _ := start(t, wiretest.Serve(t, func(p *wiretest.Peer) {
		if sessions.Add(1) == 2 {
			<-release
		}
		p.Welcome()
		p.Send("41")
		p.UntilGone()
	}), conn.Config{})
	require.ErrorIs(t, wiretest.ReceiveFrom(t, ended), conn.ErrDisconnected)
	require.ErrorIs(t, c.Ready(t.Context()), conn.ErrDisconnected)
	again, cancel := wiretest.Run(t, c)
	require.Eventually(t, func() bool { return c.Stats().Attempts == 2 }, time.Minute, time.Millisecond)
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer stop()
	assert.ErrorIs(t, c.Ready(ctx), context.DeadlineExceeded)
	close(release)
	assert.ErrorIs(t, wiretest.ReceiveFrom(t, again), conn.ErrDisconnected)
	cancel()
	assert.ErrorIs(t, c.Ready(t.Context()), conn.ErrDisconnected)
}
