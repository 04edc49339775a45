package pipe_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/seed67206a74/parley/bus/pipe"
)

// A timed value is sent at a time after the start.
type timed struct {
	at time.Duration
	n  int
}

// play sends values at their times, then closes.
func play(t *testing.T, values ...timed) <-chan int {
	return pipe.FromSeq(t.Context(), func(yield func(int) bool) {
		start := time.Now()
		for _, v := range values {
			pass(v.at - time.Since(start))
			if !yield(v.n) {
				return
			}
		}
	})
}

// clock returns the values of c, and the times at which they arrive.
func clock[T any](t *testing.T, c <-chan T) (values []T, at []time.Duration) {
	start := time.Now()
	for v := range pipe.Seq(t.Context(), c) {
		values, at = append(values, v), append(at, time.Since(start))
	}
	return values, at
}

func TestBatch_sendsWhenFull(t *testing.T) {
	batches := read(t, pipe.Batch(t.Context(), numbers(4), 2, time.Hour))
	assert.Equal(t, [][]int{{0, 1}, {2, 3}}, batches)
}

func TestBatch_sendsPartialBatchAfterDuration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := play(t,
			timed{5 * time.Second, 1}, timed{5900 * time.Millisecond, 2}, timed{6100 * time.Millisecond, 3},
			timed{20 * time.Second, 4})
		batches, at := clock(t, pipe.Batch(t.Context(), in, 100, time.Second))
		assert.Equal(t, [][]int{{1, 2}, {3}, {4}}, batches)
		assert.Equal(t, []time.Duration{6 * time.Second, 7100 * time.Millisecond, 20 * time.Second}, at)
	})
}

func TestBatch_sendsPartialBatchWhenInputCloses(t *testing.T) {
	batches := read(t, pipe.Batch(t.Context(), numbers(5), 3, time.Hour))
	assert.Equal(t, [][]int{{0, 1, 2}, {3, 4}}, batches)
}

func TestBatch_waitsUntilFullWithoutDuration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := play(t, timed{0, 1}, timed{100 * time.Hour, 2}, timed{200 * time.Hour, 3})
		batches, at := clock(t, pipe.Batch(t.Context(), in, 2, 0))
		assert.Equal(t, [][]int{{1, 2}, {3}}, batches)
		assert.Equal(t, []time.Duration{100 * time.Hour, 200 * time.Hour}, at)
	})
}

func TestBatch_treatsSizeBelowOneAsOne(t *testing.T) {
	for _, n := range []int{0, -1} {
		assert.Equal(t, [][]int{{0}, {1}}, read(t, pipe.Batch(t.Context(), numbers(2), n, time.Hour)))
	}
}

func TestBatch_doesNotReuseSentSlice(t *testing.T) {
	out := pipe.Batch(t.Context(), numbers(4), 2, time.Hour)
	first := <-out
	<-out
	assert.Equal(t, []int{0, 1}, first)
}

func TestWindow_groupsValuesByInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := play(t,
			timed{900 * time.Millisecond, 1}, timed{1100 * time.Millisecond, 2}, timed{1900 * time.Millisecond, 3},
			timed{5500 * time.Millisecond, 4}, timed{5600 * time.Millisecond, 5})
		windows, at := clock(t, pipe.Window(t.Context(), in, time.Second))
		assert.Equal(t, [][]int{{1}, {2, 3}, {4, 5}}, windows)
		assert.Equal(t, []time.Duration{time.Second, 2 * time.Second, 5600 * time.Millisecond}, at,
			"empty windows are not sent, and the last one ends with the input")
	})
}

func TestWindow_sendsSingleValuesWithoutDuration(t *testing.T) {
	for _, d := range []time.Duration{0, -time.Second} {
		assert.Equal(t, [][]int{{0}, {1}}, read(t, pipe.Window(t.Context(), numbers(2), d)))
	}
}
