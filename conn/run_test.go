package conn_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRun_reportsPhasesAndSendsFramesInOrder(t *testing.T) {
	frames := make(chan []string, 1)
	url := wiretest.Serve(t, func(p *wiretest.Peer) {
		connect := p.Welcome()
		frames <- append([]string{connect}, p.UntilGone()...)
	})
	c, err := conn.New(url, conn.Config{
		OnConnect: func(ctx context.Context, s *conn.Session) error {
			return s.Emit(ctx, "chat:join", map[string]string{"chatId": "room-1"})
		},
		Auth: func(context.Context) (any, error) { return map[string]string{"token": "t1"}, nil },
	})
	require.NoError(t, err)
	assert.Equal(t, conn.Idle, c.State().Phase)
	states := c.States.Chan(t.Context())
	ended, cancel := wiretest.Run(t, c)

	next := func() conn.State {
		s := wiretest.ReceiveFrom(t, states)
		s.Since = time.Time{}
		return s
	}
	assert.Equal(t, conn.State{Phase: conn.Connecting}, next())
	assert.Equal(t, conn.State{Phase: conn.Connected, SessionID: "socket-1", Epoch: 1}, next())
	assert.Equal(t, conn.State{Phase: conn.Ready, SessionID: "socket-1", Epoch: 1}, next())
	require.NoError(t, c.Ready(t.Context()))
	require.NoError(t, c.Emit(t.Context(), "hi", 1, "two", nil))

	cancel()
	assert.NoError(t, wiretest.ReceiveFrom(t, ended))
	assert.Equal(t, conn.State{Phase: conn.Stopped, Epoch: 1}, next())
	assert.Equal(t, []string{
		`40{"token":"t1"}`,
		`42["chat:join",{"chatId":"room-1"}]`,
		`42["hi",1,"two",null]`,
		`41`,
	}, wiretest.ReceiveFrom(t, frames), "CONNECT with auth, then the join, then the event, then DISCONNECT")
}

func TestRun_keepsSubscriptionsAcrossReconnects(t *testing.T) {
	var sessions, asked atomic.Int32
	url := wiretest.Serve(t, func(p *wiretest.Peer) {
		n := sessions.Add(1)
		p.Welcome()
		p.Receive() // the join
		p.Send(`42["n",` + string('0'+rune(n)) + `]`)
		if n < 3 {
			p.Receive() // "next", then the connection is cut
			return
		}
		p.UntilGone()
	})
	c, err := conn.New(url, conn.Config{
		Reconnect: soon,
		OnConnect: func(ctx context.Context, s *conn.Session) error { return s.Emit(ctx, "join") },
		Auth:      func(context.Context) (any, error) { asked.Add(1); return nil, nil },
	})
	require.NoError(t, err)
	numbers := conn.On[int](c, "n").Chan(t.Context())
	wiretest.Run(t, c)
	for want := 1; want <= 3; want++ {
		assert.Equal(t, want, wiretest.ReceiveFrom(t, numbers))
		require.NoError(t, c.Emit(t.Context(), "next"))
	}
	assert.EqualValues(t, 3, asked.Load(), "auth is asked anew on each attempt")
}

func TestReconnect_resetsAttemptsAfterStableSession(t *testing.T) {
	var sessions atomic.Int32
	url := wiretest.Serve(t, func(p *wiretest.Peer) {
		p.Welcome()
		if sessions.Add(1) >= 5 {
			p.UntilGone()
		}
	})
	policy := soon
	policy.MaxAttempts, policy.StableAfter = 1, time.Nanosecond
	c, _, _ := start(t, url, conn.Config{Reconnect: policy})
	require.Eventually(t, func() bool { return sessions.Load() == 5 }, time.Minute, time.Millisecond)
	assert.NoError(t, c.Ready(t.Context()))
}

func TestRun_allowsRepeatedButNotConcurrentCalls(t *testing.T) {
	url := wiretest.Serve(t, func(p *wiretest.Peer) { p.Welcome(); p.Send(`42["n",1]`); p.UntilGone() })
	c, err := conn.New(url, conn.Config{})
	require.NoError(t, err)
	numbers := conn.On[int](c, "n").Chan(t.Context())
	for range 2 {
		ended, cancel := wiretest.Run(t, c)
		require.NoError(t, c.Ready(t.Context()))
		assert.ErrorIs(t, c.Run(t.Context()), conn.ErrRunning)
		assert.Equal(t, 1, wiretest.ReceiveFrom(t, numbers), "subscriptions live on")
		cancel()
		assert.NoError(t, wiretest.ReceiveFrom(t, ended))
	}
	require.NoError(t, c.Close())
	assert.ErrorIs(t, c.Run(t.Context()), conn.ErrClosed)
}

func TestClose_endsRunCallsAndSubscriptions(t *testing.T) {
	called := make(chan string, 1)
	url := wiretest.Serve(t, func(p *wiretest.Peer) {
		p.Welcome()
		p.Send(`42["n",1]`)
		p.Send(`42["n",2]`)
		called <- p.Receive()
		p.UntilGone()
	})
	c, err := conn.New(url, conn.Config{})
	require.NoError(t, err)
	numbers := conn.On[int](c, "n").Subscribe(context.Background())
	all := c.Raw.Chan(context.Background())
	ended, _ := wiretest.Run(t, c)
	require.NoError(t, c.Ready(t.Context()))
	wiretest.ReceiveFrom(t, all)
	wiretest.ReceiveFrom(t, all)

	waiting := make(chan error, 1)
	go func() { _, err := conn.Call[any](context.Background(), c, "unanswered"); waiting <- err }()
	assert.Equal(t, `420["unanswered"]`, wiretest.ReceiveFrom(t, called))
	require.NoError(t, c.Close())
	require.NoError(t, c.Close())
	assert.NoError(t, wiretest.ReceiveFrom(t, ended))
	assert.ErrorIs(t, wiretest.ReceiveFrom(t, waiting), conn.ErrSessionLost)

	assert.Equal(t, 1, wiretest.ReceiveFrom(t, numbers.C()), "what is buffered is delivered")
	assert.Equal(t, 2, wiretest.ReceiveFrom(t, numbers.C()))
	_, open := <-numbers.C()
	assert.False(t, open)
	assert.ErrorIs(t, numbers.Err(), bus.ErrClosed)
	_, open = <-all
	assert.False(t, open)
	assert.ErrorIs(t, c.Ready(t.Context()), conn.ErrClosed)
	assert.ErrorIs(t, c.Emit(t.Context(), "x"), conn.ErrClosed)
	_, open = <-conn.On[int](c, "later").Chan(t.Context())
	assert.False(t, open, "a topic of a closed connection is closed")
}
