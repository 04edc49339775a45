package reconnect_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed67206a74/parley/reconnect"
)

var errDown = errors.New("server is down")

func alwaysDown(context.Context, func()) error { return errDown }

// stayUp is a session that comes up at once and is lost after d.
func stayUp(d time.Duration, up func()) error {
	up()
	<-time.After(d)
	return errDown
}

// waits runs p against a server that is always down until it has reported n
// waits.
func waits(t *testing.T, p reconnect.Policy, n int) []reconnect.Wait {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var got []reconnect.Wait
	err := p.Run(ctx, alwaysDown, func(w reconnect.Wait) {
		if got = append(got, w); len(got) == n {
			cancel()
		}
	})
	require.ErrorIs(t, err, context.Canceled)
	return got
}

func TestRun_growsDelaysWithinJitterRange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		intervals := []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second, 5 * time.Second, 5 * time.Second}
		lowest, highest := math.Inf(1), math.Inf(-1)
		for range 500 {
			for i, w := range waits(t, reconnect.Policy{}, len(intervals)) {
				share := float64(w.Delay) / float64(intervals[i])
				require.GreaterOrEqual(t, share, 0.5, "retry %d", w.Attempt)
				require.LessOrEqual(t, share, 1.5, "retry %d", w.Attempt)
				lowest, highest = min(lowest, share), max(highest, share)
			}
		}
		assert.Less(t, lowest, 0.55, "the jitter uses its whole range")
		assert.Greater(t, highest, 1.45, "the jitter uses its whole range")
	})
}

func TestRun_waitsExactIntervalsWithoutJitter(t *testing.T) {
	for name, tc := range map[string]struct {
		policy reconnect.Policy
		want   []time.Duration
	}{
		"default":                   {reconnect.Policy{}, []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second, 5 * time.Second, 5 * time.Second}},
		"own values":                {reconnect.Policy{InitialInterval: time.Second, MaxInterval: 20 * time.Second, Multiplier: 3}, []time.Duration{time.Second, 3 * time.Second, 9 * time.Second, 20 * time.Second}},
		"constant":                  {reconnect.Policy{Multiplier: 1}, []time.Duration{500 * time.Millisecond, 500 * time.Millisecond}},
		"initial above default max": {reconnect.Policy{InitialInterval: time.Minute}, []time.Duration{time.Minute, time.Minute}},
		"max below default initial": {reconnect.Policy{MaxInterval: time.Millisecond}, []time.Duration{time.Millisecond, time.Millisecond}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tc.policy.RandomizationFactor = -1
				start, sum := time.Now(), time.Duration(0)
				got := waits(t, tc.policy, len(tc.want))
				for i, w := range got {
					assert.Equal(t, reconnect.Wait{Attempt: i + 1, Delay: tc.want[i], Err: errDown}, w)
					sum += w.Delay
				}
				assert.Equal(t, sum-got[len(got)-1].Delay, time.Since(start), "the last wait is cut short")
			})
		})
	}
}

func TestRun_jitterDoesNotOverflowLongestIntervals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := reconnect.Policy{InitialInterval: math.MaxInt64, RandomizationFactor: 1}
		second := reconnect.Policy{InitialInterval: 1, MaxInterval: math.MaxInt64, Multiplier: math.MaxFloat64, RandomizationFactor: 1}
		for range 50 { // half of the draws would overflow
			assert.Positive(t, waits(t, first, 1)[0].Delay)
			assert.Positive(t, waits(t, second, 2)[1].Delay)
		}
	})
}

func TestRun_retriesForeverWithZeroPolicy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 24*time.Hour)
		defer cancel()
		last := 0
		err := reconnect.Policy{}.Run(ctx, alwaysDown, func(w reconnect.Wait) { last = w.Attempt })
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Greater(t, last, 24*60*60/8, "consecutive retries over a day")
	})
}

func TestRun_returnsNilWhenAttemptSucceeds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		err := reconnect.Policy{}.Run(t.Context(), func(context.Context, func()) error {
			if tries++; tries < 3 {
				return errDown
			}
			return nil
		}, nil)
		assert.NoError(t, err)
		assert.Equal(t, 3, tries)
	})
}

func TestRun_resetsCountAfterStableSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := reconnect.Policy{RandomizationFactor: -1, MaxAttempts: 3, MaxElapsedTime: 5 * time.Second}
		tries := 0
		var got []reconnect.Wait
		err := p.Run(t.Context(), func(_ context.Context, up func()) error {
			if tries++; tries == 3 {
				return stayUp(5*time.Second, up)
			}
			return errDown
		}, func(w reconnect.Wait) { got = append(got, w) })

		assert.Equal(t, []reconnect.Wait{
			{Attempt: 1, Delay: 500 * time.Millisecond, Err: errDown},
			{Attempt: 2, Delay: time.Second, Err: errDown},
			{Attempt: 1, Delay: 500 * time.Millisecond, Err: errDown},
			{Attempt: 2, Delay: time.Second, Err: errDown},
			{Attempt: 3, Delay: 2 * time.Second, Err: errDown},
		}, got)
		var exhausted *reconnect.ExhaustedError
		require.ErrorAs(t, err, &exhausted)
		assert.Equal(t, reconnect.ExhaustedError{Attempts: 3, Elapsed: 3500 * time.Millisecond, Err: errDown}, *exhausted)
	})
}

func TestRun_keepsCountAfterShortSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := reconnect.Policy{MaxAttempts: 4, StableAfter: time.Second}
		var attempts []int
		err := p.Run(t.Context(), func(_ context.Context, up func()) error {
			return stayUp(time.Second-1, up)
		}, func(w reconnect.Wait) { attempts = append(attempts, w.Attempt) })
		assert.ErrorIs(t, err, errDown)
		assert.Equal(t, []int{1, 2, 3, 4}, attempts)
	})
}

func TestRun_doesNotCountSlowDialAsSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		p := reconnect.Policy{MaxAttempts: 2}
		err := p.Run(t.Context(), func(context.Context, func()) error {
			tries++
			<-time.After(time.Minute)
			return errDown
		}, nil)
		assert.ErrorIs(t, err, errDown)
		assert.Equal(t, 3, tries, "the first try and two retries")
	})
}

func TestRun_measuresSessionFromFirstUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		p := reconnect.Policy{MaxAttempts: 1, StableAfter: 10 * time.Second}
		err := p.Run(t.Context(), func(_ context.Context, up func()) error {
			if tries++; tries > 2 {
				return errDown
			}
			up()
			<-time.After(8 * time.Second)
			return stayUp(8*time.Second, up)
		}, nil)
		assert.ErrorIs(t, err, errDown)
		assert.Equal(t, 3, tries, "two sessions of 16 s, then one retry")
	})
}

func TestRun_ignoresUpAfterAttemptReturns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var late func()
		tries := 0
		p := reconnect.Policy{MaxAttempts: 2}
		err := p.Run(t.Context(), func(_ context.Context, up func()) error {
			if tries++; tries == 1 {
				late = up
				return errDown
			}
			late()
			<-time.After(time.Minute)
			return errDown
		}, nil)
		assert.ErrorIs(t, err, errDown)
		assert.Equal(t, 3, tries)
	})
}

func TestRun_acceptsUpFromAnyGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		p := reconnect.Policy{MaxAttempts: 1}
		err := p.Run(t.Context(), func(_ context.Context, up func()) error {
			if tries++; tries > 2 {
				return errDown
			}
			go up() // ends at once
			go up() // ends at once
			<-time.After(time.Minute)
			return errDown
		}, nil)
		assert.ErrorIs(t, err, errDown)
		assert.Equal(t, 3, tries)
	})
}

func TestPermanent_endsRunWithUnwrappedError(t *testing.T) {
	errRefused := errors.New("not authorised")
	err := reconnect.Policy{}.Run(t.Context(), func(context.Context, func()) error {
		return reconnect.Permanent(errRefused)
	}, func(reconnect.Wait) { t.Error("waited for a retry") })
	assert.Same(t, errRefused, err)
}

func TestPermanent_keepsMessageOfWrappingError(t *testing.T) {
	errRefused := errors.New("not authorised")
	err := reconnect.Policy{}.Run(t.Context(), func(context.Context, func()) error {
		return fmt.Errorf("namespace /admin: %w", reconnect.Permanent(errRefused))
	}, func(reconnect.Wait) { t.Error("waited for a retry") })
	assert.EqualError(t, err, "namespace /admin: not authorised")
	assert.ErrorIs(t, err, errRefused)
}

func TestPermanent_returnsNilForNil(t *testing.T) {
	assert.NoError(t, reconnect.Permanent(nil))
}

func TestMaxAttempts_disablesRetriesWhenNegative(t *testing.T) {
	err := reconnect.Policy{MaxAttempts: -1}.Run(t.Context(), alwaysDown, func(reconnect.Wait) { t.Error("waited for a retry") })
	var exhausted *reconnect.ExhaustedError
	require.ErrorAs(t, err, &exhausted)
	assert.Zero(t, exhausted.Attempts)
	assert.ErrorIs(t, err, errDown)
}

func TestMaxElapsedTime_stopsBeforeWaitThatExceedsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := reconnect.Policy{RandomizationFactor: -1, MaxElapsedTime: 10 * time.Second}
		start := time.Now()
		err := p.Run(t.Context(), alwaysDown, nil)
		var exhausted *reconnect.ExhaustedError
		require.ErrorAs(t, err, &exhausted)
		// After 0.5 + 1 + 2 + 4 s, a wait of 5 s would end too late.
		assert.Equal(t, reconnect.ExhaustedError{Attempts: 4, Elapsed: 7500 * time.Millisecond, Err: errDown}, *exhausted)
		assert.Equal(t, exhausted.Elapsed, time.Since(start))
		assert.EqualError(t, err, "reconnect: gave up after 4 retries in 7.5s: server is down")
	})
}

func TestMaxElapsedTime_startsAtFirstFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := reconnect.Policy{RandomizationFactor: -1, MaxElapsedTime: time.Second}
		tries := 0
		err := p.Run(t.Context(), func(context.Context, func()) error {
			if tries++; tries == 1 {
				<-time.After(time.Hour) // a first try that hangs is not yet a failure
			}
			return errDown
		}, nil)
		assert.ErrorIs(t, err, errDown)
		assert.Equal(t, 2, tries)
	})
}

func TestRun_stopsWaitingWhenContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start, tries := time.Now(), 0
		p := reconnect.Policy{InitialInterval: time.Hour}
		err := p.Run(ctx, func(context.Context, func()) error { tries++; return errDown }, nil)
		assert.Equal(t, context.DeadlineExceeded, err)
		assert.Equal(t, time.Second, time.Since(start))
		assert.Equal(t, 1, tries)
	})
}

func TestRun_returnsContextErrorWhenCanceledDuringAttempt(t *testing.T) {
	for name, failure := range map[string]error{
		"failure":   errDown,
		"permanent": reconnect.Permanent(errDown),
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			err := reconnect.Policy{MaxAttempts: -1}.Run(ctx, func(ctx context.Context, _ func()) error {
				cancel()
				<-ctx.Done()
				return failure
			}, nil)
			assert.Equal(t, context.Canceled, err)
		})
	}
}

func TestRun_makesNoAttemptWithCanceledContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := reconnect.Policy{}.Run(ctx, func(context.Context, func()) error {
		t.Error("made an attempt")
		return nil
	}, nil)
	assert.Equal(t, context.Canceled, err)
}

func TestRun_rejectsInvalidPolicyBeforeFirstAttempt(t *testing.T) {
	p := reconnect.Policy{Multiplier: 0.5}
	err := p.Run(t.Context(), func(context.Context, func()) error {
		t.Error("made an attempt")
		return nil
	}, nil)
	assert.Equal(t, p.Validate(), err)
	assert.Error(t, err)
}
