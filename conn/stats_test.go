package conn_test

import (
	"testing"
	"time"

	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/seed67206a74/parley/reconnect"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestStats_countsSessionsEventsAndBytes(t *testing.T) {
	cut := make(chan struct{})
	sessions := 0
	c, _, _ := start(t, wiretest.Serve(t, func(p *wiretest.Peer) {
		p.Welcome()
		if sessions++; sessions == 1 {
			p.Receive() // go
			p.Send(`42["n",1]`)
			p.Send(`42["n","one"]`)
			p.Send(`451-["n",{"_placeholder":true,"num":0}]`)
			p.SendBinary([]byte("12345"))
			p.Receive() // ask
			<-cut
			return
		}
		p.UntilGone()
	}), conn.Config{Reconnect: soon})
	assert.Zero(t, c.Stats().Sent)
	numbers := conn.On[int](c, "n").Chan(t.Context())
	failures := c.DecodeErrors.Chan(t.Context())
	states := c.States.Chan(t.Context())
	require.NoError(t, c.Emit(t.Context(), "go"))
	wiretest.ReceiveFrom(t, numbers)
	wiretest.ReceiveFrom(t, failures)
	wiretest.ReceiveFrom(t, failures)
	asked := make(chan error, 1)
	go func() { _, err := conn.Call[any](t.Context(), c, "ask"); asked <- err }()
	require.Eventually(t, func() bool { return c.Stats().Sent == 2 }, time.Minute, time.Millisecond)
	assert.Equal(t, conn.Stats{
		Attempts: 1, Sessions: 1,
		Received: 3, ReceivedBytes: uint64(len(`["n",1]` + `["n","one"]` + `["n",{"_placeholder":true,"num":0}]` + "12345")), DecodeErrors: 2,
		Sent: 2, SentBytes: uint64(len(`2["go"]` + `20["ask"]`)),
		Waiting: 1,
	}, c.Stats())

	close(cut)
	require.ErrorIs(t, wiretest.ReceiveFrom(t, asked), conn.ErrSessionLost)
	for range 2 {
		for wiretest.ReceiveFrom(t, states).Phase != conn.Ready {
		}
	}
	stats := c.Stats()
	assert.EqualValues(t, 2, stats.Attempts)
	assert.EqualValues(t, 2, stats.Sessions)
	assert.Zero(t, stats.Waiting)

	require.NoError(t, c.Close())
	assert.Error(t, c.TryEmit("too late"))
	assert.EqualValues(t, 2, c.Stats().Sent)
}

func TestHealth_reportsErrorUnlessReady(t *testing.T) {
	release := make(chan struct{})
	url := wiretest.Serve(t, func(p *wiretest.Peer) { p.Welcome(); <-release })
	c, err := conn.New(url, conn.Config{Reconnect: reconnect.Policy{InitialInterval: time.Hour, MaxInterval: time.Hour}})
	require.NoError(t, err)
	assert.EqualError(t, c.Health(), "conn: not ready: Run is not running")
	require.ErrorIs(t, c.TryEmit("now or never"), conn.ErrNotReady)
	assert.EqualValues(t, 1, c.Stats().Dropped)

	_, cancel := wiretest.Run(t, c)
	require.NoError(t, c.Ready(t.Context()))
	assert.NoError(t, c.Health())

	states := c.States.Chan(t.Context())
	close(release)
	for wiretest.ReceiveFrom(t, states).Phase != conn.Waiting {
	}
	require.Eventually(t, func() bool { return c.State().Phase == conn.Waiting }, time.Minute, time.Millisecond)
	assert.ErrorIs(t, c.Health(), conn.ErrNotReady)
	assert.ErrorContains(t, c.Health(), "conn: not ready: waiting, attempt 1: conn: connection lost")
	var lost *conn.TransportError
	assert.ErrorAs(t, c.Health(), &lost)

	cancel()
	for wiretest.ReceiveFrom(t, states).Phase != conn.Stopped {
	}
	require.NoError(t, c.Close())
	assert.ErrorIs(t, c.Health(), conn.ErrClosed)
	assert.ErrorIs(t, c.Health(), conn.ErrNotReady)
}
