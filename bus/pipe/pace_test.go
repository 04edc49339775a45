package pipe_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/seed67206a74/parley/bus/pipe"
)

func TestThrottle_sendsFirstAtOnceThenLatest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := play(t,
			timed{100 * time.Millisecond, 1}, timed{200 * time.Millisecond, 2}, timed{300 * time.Millisecond, 3},
			timed{5 * time.Second, 4}, timed{9 * time.Second, 5}, timed{9 * time.Second, 6})
		values, at := clock(t, pipe.Throttle(t.Context(), in, time.Second))
		assert.Equal(t, []int{1, 3, 4, 5, 6}, values)
		assert.Equal(t, []time.Duration{
			100 * time.Millisecond, 1100 * time.Millisecond, // 3 replaced 2
			5 * time.Second,
			9 * time.Second, 10 * time.Second, // the last one, after the input has closed
		}, at)
	})
}

func TestDebounce_sendsLastValueBeforePause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := play(t,
			timed{100 * time.Millisecond, 1}, timed{900 * time.Millisecond, 2}, timed{1800 * time.Millisecond, 3},
			timed{8 * time.Second, 4}, timed{8500 * time.Millisecond, 5})
		values, at := clock(t, pipe.Debounce(t.Context(), in, time.Second))
		assert.Equal(t, []int{3, 5}, values)
		assert.Equal(t, []time.Duration{2800 * time.Millisecond, 8500 * time.Millisecond}, at,
			"the last one does not wait once the input has closed")
	})
}

func TestThrottleAndDebounce_replaceUnreadValueWithNewer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := make(chan int)
		out := pipe.Throttle(t.Context(), pipe.Debounce(t.Context(), in, time.Second), time.Second)
		for n := range 4 {
			in <- n // does not block although no reader receives
			pass(time.Minute)
		}
		assert.Equal(t, 3, <-out)
		close(in)
	})
}

func TestThrottleAndDebounce_passEveryValueWithoutDuration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, d := range []time.Duration{0, -time.Second} {
			in := make(chan int)
			out := pipe.Throttle(t.Context(), pipe.Debounce(t.Context(), in, d), d)
			for n := range 100 {
				in <- n
				assert.Equal(t, n, <-out)
			}
			close(in)
		}
	})
}
