package conn_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestStates_refusesSubscriptionThatWouldBlock(t *testing.T) {
	c, _, _ := start(t, wiretest.Serve(t, func(p *wiretest.Peer) { p.Welcome(); p.UntilGone() }), conn.Config{})
	states := c.States.Subscribe(t.Context(), bus.Limit(1), bus.OnOverflow(bus.Block))
	assert.ErrorIs(t, states.Err(), bus.ErrNoBlock)
	_, open := <-states.C()
	assert.False(t, open)
	assert.NoError(t, c.Ready(t.Context()))
}

func TestRun_returnsDespiteBlockedEventSubscriber(t *testing.T) {
	url := wiretest.Serve(t, func(p *wiretest.Peer) {
		p.Welcome()
		for range 10 {
			p.Send(`42["n",1]`)
		}
		p.UntilGone()
	})
	c, err := conn.New(url, conn.Config{})
	require.NoError(t, err)
	numbers := conn.On[int](c, "n").Subscribe(context.Background(), bus.Limit(1), bus.OnOverflow(bus.Block))
	ended, cancel := wiretest.Run(t, c)
	require.Eventually(t, func() bool { return numbers.Stats().Pending >= 1 }, time.Minute, time.Millisecond)
	cancel()
	assert.NoError(t, wiretest.ReceiveFrom(t, ended))
	numbers.Close()
}

func TestRun_returnsOnCancelDespiteBlockedWrite(t *testing.T) {
	release := make(chan struct{})
	// After the handshake the server reads nothing.
	url := wiretest.Serve(t, func(p *wiretest.Peer) { p.Welcome(); <-release })
	defer close(release)
	c, ended, cancel := start(t, url, conn.Config{WriteTimeout: time.Hour})
	require.NoError(t, c.Ready(t.Context()))
	var failed *conn.SendError
	for failed == nil { // until the buffers between the two ends are full
		ctx, stop := context.WithTimeout(t.Context(), time.Second)
		err := c.Emit(ctx, "big", strings.Repeat("x", 1<<20))
		stop()
		require.True(t, err == nil || errors.As(err, &failed))
	}
	assert.True(t, failed.MaybeSent, "it is stuck in the socket now, and Run with it")
	cancel()
	assert.NoError(t, wiretest.ReceiveFrom(t, ended))
}

func TestWriteTimeout_endsSessionWithoutResending(t *testing.T) {
	release := make(chan struct{})
	frames := make(chan int, 2)
	var sessions atomic.Int32
	url := wiretest.Serve(t, func(p *wiretest.Peer) {
		p.Welcome()
		if sessions.Add(1) == 1 {
			<-release // reads nothing
			return
		}
		frames <- len(p.UntilGone())
	})
	defer close(release)
	c, _, cancel := start(t, url, conn.Config{WriteTimeout: 100 * time.Millisecond, Reconnect: soon})
	var failed *conn.SendError
	for failed == nil { // until the buffers between the two ends are full
		err := c.Emit(t.Context(), "big", strings.Repeat("x", 1<<20))
		require.True(t, err == nil || errors.As(err, &failed))
	}
	assert.True(t, failed.MaybeSent)
	assert.ErrorIs(t, failed, conn.ErrSessionLost)
	assert.NotContains(t, failed.Error(), "\n")
	require.NoError(t, c.Ready(t.Context()))
	cancel()
	assert.Equal(t, 1, wiretest.ReceiveFrom(t, frames), "only DISCONNECT: an event that may have been sent is not sent again")
}
