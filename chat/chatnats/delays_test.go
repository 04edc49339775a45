package chatnats

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestGroupConfig_delaysAttempts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		backoff time.Duration
		attempt int // that failed
		err     error
		delay   time.Duration
	}{
		{time.Second, 1, errBroken, time.Second},
		{time.Second, 2, errBroken, 2 * time.Second},
		{time.Second, 5, errBroken, 16 * time.Second},
		{time.Second, 6, errBroken, maxBackoff},
		{time.Second, 1_000_000_000, errBroken, maxBackoff},
		{10 * time.Second, 3, errBroken, maxBackoff},
		{time.Minute, 1, errBroken, time.Minute},
		{time.Minute, 4, errBroken, time.Minute},
		{90 * 24 * time.Hour, 30, errBroken, 90 * 24 * time.Hour},
		{time.Second, 3, Nak(time.Hour, errBroken), time.Hour},
		{time.Hour, 1, Nak(time.Millisecond, errBroken), time.Millisecond},
		{time.Second, 3, fmt.Errorf("wrapped: %w", Nak(0, errBroken)), 0},
	} {
		require.Equal(t, c.delay, GroupConfig{Backoff: c.backoff}.delayOf(c.attempt, c.err), "%+v", c)
	}
}

func TestQueues_endsDelayEarlyWhileBlocked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newQueues(&worker{ctx: t.Context()})
		pause := func(delay, limit time.Duration) time.Duration {
			begun := time.Now()
			require.True(t, q.pause(t.Context(), delay, limit))
			return time.Since(begun)
		}
		require.Equal(t, time.Hour, pause(time.Hour, time.Second))
		require.Equal(t, time.Millisecond, pause(time.Millisecond, time.Second))
		for n := range uint64(unacknowledged) {
			q.open[n] = &job{}
		}
		q.chats["one"] = &chatQueue{}
		require.Equal(t, time.Second, pause(time.Hour, time.Second), "all events wait")
		require.Equal(t, time.Millisecond, pause(time.Millisecond, time.Second))
		q.chats["two"] = &chatQueue{}
		require.Equal(t, time.Hour, pause(time.Hour, time.Second), "those of another chat can be handled")
	})
}
