package pipe_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed67206a74/parley/bus/pipe"
)

// room is how many values wait for a worker, as the manual says.
const room = 64

func TestSharded_keepsOrderPerKey(t *testing.T) {
	const keys = 10
	var next [keys]int // each key has one worker, so the race detector has no objection
	err := pipe.Sharded(t.Context(), numbers(2000), 4, func(n int) int { return n % keys },
		func(_ context.Context, n int) error {
			assert.Equal(t, next[n%keys], n/keys)
			next[n%keys]++
			return nil
		})
	require.NoError(t, err)
	for _, n := range next {
		assert.Equal(t, 2000/keys, n)
	}
}

func TestSharded_runsKeysInParallel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		started := make(chan int)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		result := make(chan error)
		go func() { // ends with ctx
			result <- pipe.Sharded(ctx, numbers(100), 4, func(n int) int { return n },
				func(ctx context.Context, n int) error {
					started <- n
					return hang(ctx, n)
				})
		}()
		for range 4 { // of 100 keys, every worker has some
			<-started
		}
		cancel()
		assert.Equal(t, context.Canceled, <-result)
	})
}

func TestSharded_blocksOnSlowKeyOnlyWhenFull(t *testing.T) {
	const slow = -1
	synctest.Test(t, func(t *testing.T) {
		in, release := make(chan int), make(chan struct{})
		var done []int // appended to by the free worker, and by the other once it is released
		result := make(chan error)
		go func() { // ends with in
			result <- pipe.Sharded(t.Context(), in, 2, func(key int) int { return key },
				func(_ context.Context, key int) error {
					if key == slow {
						<-release
						return nil
					}
					done = append(done, key)
					return nil
				})
		}()

		in <- slow // its worker hangs in this
		free := 0  // becomes the first key that has the other worker
		for synctest.Wait(); len(done) == 0; synctest.Wait() {
			free++
			require.Less(t, free, room, "all keys have one worker")
			in <- free
		}
		for range room - (free - 1) { // keys that wait behind the slow one take room, too
			in <- slow
		}
		in <- free
		synctest.Wait()
		assert.Equal(t, []int{free, free}, done, "within the bound nobody is held up")

		in <- slow // one more than there is room for
		synctest.Wait()
		select {
		case in <- free:
			t.Error("taken beyond the bound")
		default:
		}

		close(release)
		close(in)
		require.NoError(t, <-result)
		assert.Len(t, done, free+1, "all was worked on")
	})
}

func TestSharded_usesOneWorkerForCountBelowOne(t *testing.T) {
	for _, n := range []int{0, -1} {
		var seen []int // by one worker
		err := pipe.Sharded(t.Context(), numbers(100), n, func(n int) int { return n },
			func(_ context.Context, n int) error {
				seen = append(seen, n)
				return nil
			})
		require.NoError(t, err)
		assert.Equal(t, read(t, numbers(100)), seen)
	}
}

func TestSharded_returnsPanicInKeyFunctionAsError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ignore := func(context.Context, int) error { return nil }
		err := pipe.Sharded(t.Context(), open(1), 2, func(int) string { explode("boom"); return "" }, ignore)
		requirePanic(t, "boom", err)

		err = pipe.Sharded(t.Context(), open(1), 2, func(int) string { exit(); return "" }, ignore)
		requirePanic(t, nil, err)
	})
}

func TestSharded_returnsErrorForUnhashableKey(t *testing.T) {
	err := pipe.Sharded(t.Context(), open(1), 2, func(int) any { return []int{1} },
		func(context.Context, int) error { return nil })
	var panicked *pipe.PanicError
	require.ErrorAs(t, err, &panicked)
}
