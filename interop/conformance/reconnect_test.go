package conformance

import (
	"context"
	"testing"
	"time"

	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/reconnect"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestReconnect_restoresConnectionAndSubscriptions(t *testing.T) {
	conform(t, "reconnect by default", server, nil, func(r *row) {
		c, _ := r.client("", nil)
		echo := conn.On[int](c, "echo").Chan(r.ctx)
		require.NoError(r, c.Ready(r.ctx))
		first := c.State().SessionID
		states := c.States.Chan(r.ctx)
		r.provoke(c, "close")
		assert.Error(r, until(r, states, conn.Waiting).Err)
		second := until(r, states, conn.Ready)
		assert.NotEqual(r, first, second.SessionID)
		assert.Equal(r, 1, second.Attempt)
		require.NoError(r, c.Emit(r.ctx, "echo", 7))
		assert.Equal(r, 7, receive(r, echo), "the subscription remains")
	})
}

func TestReconnect_countsAttemptsAndGrowsDelays(t *testing.T) {
	conform(t, "attempts counted, delays growing", server, nil, func(r *row) {
		r.url = "http://127.0.0.1:1" // no server listens there
		c, ended := r.client("", func(cfg *conn.Config) {
			cfg.Reconnect = reconnect.Policy{InitialInterval: 4 * time.Millisecond, Multiplier: 2, RandomizationFactor: 0.1, MaxInterval: time.Second, MaxAttempts: 4}
		})
		states := c.States.Chan(r.ctx)
		var delay time.Duration
		for attempt := 1; attempt <= 4; attempt++ {
			waiting := until(r, states, conn.Waiting)
			assert.Equal(r, attempt, waiting.Attempt)
			assert.Greater(r, waiting.Delay, delay)
			delay = waiting.Delay
			assert.Equal(r, attempt, until(r, states, conn.Connecting).Attempt)
		}
		var exhausted *reconnect.ExhaustedError
		assert.ErrorAs(r, receive(r, ended), &exhausted)
	})
}

func TestClose_preventsReconnect(t *testing.T) {
	conform(t, "no reconnect after Close", server, nil, func(r *row) {
		c, ended := r.client("", nil)
		require.NoError(r, c.Ready(r.ctx))
		states := c.States.Chan(r.ctx)
		require.NoError(r, c.Close())
		assert.NoError(r, receive(r, ended))
		var last conn.State
		for last = range states {
		}
		assert.Equal(r, conn.Stopped, last.Phase)
		assert.ErrorIs(r, c.Run(r.ctx), conn.ErrClosed)
	})
}

func TestRun_endsOnServerDisconnect(t *testing.T) {
	conform(t, "no reconnect after a disconnect by the server", server, nil, func(r *row) {
		c, ended := r.client("", nil)
		r.provoke(c, "disconnect me")
		assert.ErrorIs(r, receive(r, ended), conn.ErrDisconnected)
		assert.Equal(r, conn.Stopped, c.State().Phase)
	})
}

func TestRun_reconnectsWhenCalledAgain(t *testing.T) {
	conform(t, "reconnect by another Run", server, nil, func(r *row) {
		c, ended := r.client("", nil)
		echo := conn.On[int](c, "echo").Chan(r.ctx)
		r.provoke(c, "disconnect me")
		assert.Error(r, receive(r, ended))

		ctx, cancel := context.WithCancel(r.ctx)
		again := make(chan error, 1)
		go func() { again <- c.Run(ctx) }()
		require.Eventually(r, func() bool { return c.State().Phase == conn.Ready }, time.Minute, time.Millisecond)
		require.NoError(r, c.Emit(r.ctx, "echo", 1))
		assert.Equal(r, 1, receive(r, echo))
		cancel()
		assert.NoError(r, receive(r, again))
	})
}

func TestPingTimeout_detectsSilentServer(t *testing.T) {
	conform(t, "a server that stops pinging is noticed", server, []string{"PING_INTERVAL=100", "PING_TIMEOUT=100"}, func(r *row) {
		c, _ := r.client("", nil)
		require.NoError(r, c.Ready(r.ctx))
		states := c.States.Chan(r.ctx)
		require.NoError(r, r.backend.Pause()) // its TCP connections stay open
		waiting := until(r, states, conn.Waiting)
		require.NoError(r, r.backend.Continue())
		assert.ErrorIs(r, waiting.Err, conn.ErrPingTimeout)
		require.NoError(r, c.Ready(r.ctx))
	})
}

func TestBlock_keepsSessionWhileReaderIsBlocked(t *testing.T) {
	const count = 1000
	conform(t, "a blocked reader keeps its session", server, []string{"PING_INTERVAL=300", "PING_TIMEOUT=2000"}, func(r *row) {
		c, _ := r.client("", nil)
		stuck := conn.On[int](c, "n").Subscribe(r.ctx, bus.Limit(1), bus.OnOverflow(bus.Block)).C()
		require.NoError(r, c.Ready(r.ctx))
		session := c.State().SessionID
		require.NoError(r, c.Emit(r.ctx, "flood", count))
		clock, _ := r.client("", nil)
		for tick := range 8 { // of 300 ms each: longer than the server waits for a pong
			require.Equal(r, tick, call[int](r, clock, "slow", tick))
		}
		for n := range count {
			require.Equal(r, n, receive(r, stuck))
		}
		assert.Equal(r, []any{"still here"}, call[[]any](r, c, "echo", []any{"still here"}))
		assert.Equal(r, session, c.State().SessionID)
	})
}

func TestRecovery_restoresMissedEventsInOrder(t *testing.T) {
	conform(t, "recovery: missed events arrive once, in order", server, []string{"RECOVERY=1"}, func(r *row) { r.recovers(1) })
}

// The second recovery uses the offset of the recovered events.
func TestRecovery_restoresResumedSession(t *testing.T) {
	conform(t, "recovery: a resumed session is resumed again", server, []string{"RECOVERY=1"}, func(r *row) { r.recovers(2) })
}

// recovers loses and resumes a session so many times.
func (r *row) recovers(times int) {
	const missed = 50
	c, _ := r.client("", nil)
	numbers := conn.On[int](c, "n").Subscribe(r.ctx, bus.Limit(1000)).C()
	states := c.States.Subscribe(r.ctx, bus.Filter(func(s conn.State) bool { return s.Phase == conn.Ready })).C()
	first := receive(r, states)
	assert.False(r, first.Recovered)
	for round := range times {
		r.provoke(c, "close and emit", missed)
		for n := range missed + 1 {
			require.Equal(r, n, receive(r, numbers), "round %d", round)
		}
		again := receive(r, states)
		assert.True(r, again.Recovered)
		assert.Equal(r, first.SessionID, again.SessionID)
	}
	require.NoError(r, c.Emit(r.ctx, "say to the room", -1))
	assert.Equal(r, -1, receive(r, numbers), "no event arrives twice, and the room is joined again")
}

func TestRecovery_startsNewSessionAfterServerRestart(t *testing.T) {
	conform(t, "recovery: a restarted server opens a new session", server, []string{"RECOVERY=1"}, func(r *row) {
		c, _ := r.client("", nil)
		numbers := conn.On[int](c, "n").Chan(r.ctx)
		states := c.States.Subscribe(r.ctx, bus.Filter(func(s conn.State) bool { return s.Phase == conn.Ready })).C()
		first := receive(r, states)
		require.NoError(r, c.Emit(r.ctx, "flood", 1))
		receive(r, numbers)
		r.backend.Kill()
		r.backend.Start()
		second := receive(r, states)
		assert.False(r, second.Recovered)
		assert.NotEqual(r, first.SessionID, second.SessionID)
	})
}

func TestUpgrade_losesNoEventUnderLoad(t *testing.T) {
	const count = 3000
	conform(t, "an upgrade under load", server, nil, func(r *row) {
		c, _ := r.client("", nil)
		numbers := conn.On[int](c, "n").Subscribe(r.ctx, bus.Limit(count)).C()
		require.NoError(r, c.Ready(r.ctx))
		sent := make(chan error, 1)
		go func() {
			for n := range count {
				if err := c.Emit(r.ctx, "n", n); err != nil {
					sent <- err
					return
				}
			}
			sent <- nil
		}()
		for from := 0; from < count; from += 100 {
			require.NoError(r, c.Emit(r.ctx, "flood", 100))
			for n := range 100 {
				require.Equal(r, n, receive(r, numbers))
			}
		}
		require.NoError(r, receive(r, sent))
		heard := call[[]int](r, c, "heard")
		require.Len(r, heard, count)
		for n := range count {
			require.Equal(r, n, heard[n])
		}
		want := conn.WebSocket
		if r.rig.name == "polling" {
			want = conn.Polling
		}
		assert.Equal(r, want, call[handshake](r, c, "handshake").Transport)
	})
}

func TestPolling_doesNotUpgrade(t *testing.T) {
	conform(t, "polling without an upgrade", server, nil, func(r *row) {
		c, _ := r.client("", func(cfg *conn.Config) { cfg.Transports = []string{conn.Polling} })
		assert.Equal(r, conn.Polling, call[handshake](r, c, "handshake").Transport)
	})
}
