package conn_test

import (
	"context"
	"errors"
	"runtime"
	"testing"

	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestShutdown_waitsForCallsAndHandlers(t *testing.T) {
	drop, answer := make(chan struct{}), make(chan struct{})
	url, _ := connects(t, `40{"sid":"socket-1"}`,
		func(p *wiretest.Peer) { <-drop },
		func(p *wiretest.Peer) {
			assert.Equal(t, `420["late"]`, p.Receive())
			p.Send(`421["tool"]`)
			assert.Equal(t, `431["done"]`, p.Receive())
			<-answer
			p.Send(`430["answered"]`)
			p.UntilGone()
		})
	c, ended, _ := start(t, url, conn.Config{Reconnect: soon})
	require.NoError(t, c.Ready(t.Context()))
	waiting := c.States.Chan(t.Context())
	close(drop)
	require.Equal(t, conn.Ready, wiretest.ReceiveFrom(t, waiting).Phase)
	require.Equal(t, conn.Waiting, wiretest.ReceiveFrom(t, waiting).Phase)
	handling, finish := make(chan struct{}, 1), make(chan struct{})
	conn.Handle(c, "tool", func(context.Context, any) (string, error) {
		handling <- struct{}{}
		<-finish
		return "done", nil
	})
	replies := make(chan string, 1)
	go func() {
		reply, err := conn.Call[string](t.Context(), c, "late")
		assert.NoError(t, err)
		replies <- reply
	}()
	wiretest.ReceiveFrom(t, handling)

	down := make(chan error, 1)
	go func() { down <- c.Shutdown(t.Context()) }()
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for !errors.Is(c.Emit(gone, "probe"), conn.ErrClosed) { // until Shutdown has begun
		runtime.Gosched()
	}
	assert.ErrorIs(t, c.Emit(t.Context(), "new"), conn.ErrClosed)
	assert.Empty(t, down)
	close(finish)
	close(answer)
	assert.Equal(t, "answered", wiretest.ReceiveFrom(t, replies))
	assert.NoError(t, wiretest.ReceiveFrom(t, down))
	assert.NoError(t, wiretest.ReceiveFrom(t, ended))
	assert.NoError(t, c.Shutdown(t.Context()), "again")
}

func TestShutdown_closesWhenContextEnds(t *testing.T) {
	frames := make(chan string, 1)
	url := wiretest.Serve(t, func(p *wiretest.Peer) { p.Welcome(); frames <- p.Receive(); p.UntilGone() })
	c, ended, _ := start(t, url, conn.Config{})
	failed := make(chan error, 1)
	go func() {
		_, err := conn.Call[string](t.Context(), c, "never answered")
		failed <- err
	}()
	require.Equal(t, `420["never answered"]`, wiretest.ReceiveFrom(t, frames))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	assert.ErrorIs(t, c.Shutdown(ctx), context.Canceled)
	assert.NoError(t, wiretest.ReceiveFrom(t, ended))
	assert.Error(t, wiretest.ReceiveFrom(t, failed))
	assert.ErrorIs(t, c.Emit(t.Context(), "new"), conn.ErrClosed)
}

func TestShutdown_closesIdleConnection(t *testing.T) {
	c, err := conn.New("http://localhost", conn.Config{})
	require.NoError(t, err)
	states := c.States.Chan(t.Context())
	require.NoError(t, c.Shutdown(t.Context()))
	_, open := <-states
	assert.False(t, open)
	assert.ErrorIs(t, c.Run(t.Context()), conn.ErrClosed)
}

func TestClose_sendsQueuedEvents(t *testing.T) {
	frames := make(chan []string, 1)
	url := wiretest.Serve(t, func(p *wiretest.Peer) { p.Welcome(); frames <- p.UntilGone() })
	c, _, _ := start(t, url, conn.Config{})
	require.NoError(t, c.Ready(t.Context()))
	for range 100 {
		require.NoError(t, c.TryEmit("volatile"))
	}
	require.NoError(t, c.Close())
	assert.Len(t, wiretest.ReceiveFrom(t, frames), 101, "and then the DISCONNECT")
}
