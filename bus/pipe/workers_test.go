package pipe_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/bus/pipe"
)

var errWork = errors.New("no good")

type job = func(context.Context, int) error

// pools are the functions that hand values to workers, each with n of them.
var pools = map[string]func(ctx context.Context, in <-chan int, n int, f job) error{
	"Workers": pipe.Workers[int],
	"Sharded": func(ctx context.Context, in <-chan int, n int, f job) error {
		return pipe.Sharded(ctx, in, n, func(n int) int { return n }, f)
	},
}

type pool = func(ctx context.Context, in <-chan int, n int, f job) error

// eachPool runs test in a bubble for both. A leaked goroutine fails the bubble.
func eachPool(t *testing.T, test func(t *testing.T, run pool)) {
	for name, run := range pools {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, run) })
		})
	}
}

// hang is a job that returns when its context ends.
func hang(ctx context.Context, _ int) error {
	<-ctx.Done()
	return fmt.Errorf("job: %w", ctx.Err())
}

func TestWorkersAndSharded_processEachValueOnce(t *testing.T) {
	eachPool(t, func(t *testing.T, run pool) {
		var mu sync.Mutex
		var seen []int
		err := run(t.Context(), numbers(1000), 4, func(_ context.Context, n int) error {
			mu.Lock()
			defer mu.Unlock()
			seen = append(seen, n)
			return nil
		})
		require.NoError(t, err)
		slices.Sort(seen)
		assert.Equal(t, slices.Collect(pipe.Seq(t.Context(), numbers(1000))), seen)
	})
}

func TestWorkers_runsRequestedNumberConcurrently(t *testing.T) {
	for n, rounds := range map[int]int{3: 2, 1: 6, 0: 6, -1: 6} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				err := pipe.Workers(t.Context(), numbers(6), n, func(context.Context, int) error {
					pass(time.Second)
					return nil
				})
				require.NoError(t, err)
				assert.Equal(t, time.Duration(rounds)*time.Second, time.Since(start))
			})
		})
	}
}

func TestWorkersAndSharded_returnFirstErrorAndCancelOthers(t *testing.T) {
	eachPool(t, func(t *testing.T, run pool) {
		in := make(chan int, 1000)
		for n := range cap(in) {
			in <- n
		}
		err := run(t.Context(), in, 8, func(ctx context.Context, n int) error {
			if n == 0 {
				synctest.Wait() // the others hang
				return errWork
			}
			return hang(ctx, n)
		})
		assert.Equal(t, errWork, err)
		assert.NotEmpty(t, in, "the remaining values stay in the input")
	})
}

func TestWorkersAndSharded_returnPanicAsErrorAndCancelOthers(t *testing.T) {
	eachPool(t, func(t *testing.T, run pool) {
		err := run(t.Context(), open(0, 1), 2, func(ctx context.Context, n int) error {
			if n == 0 {
				explode("boom")
			}
			return hang(ctx, n)
		})
		requirePanic(t, "boom", err)
	})
}

func TestWorkersAndSharded_returnGoexitAsErrorAndCancelOthers(t *testing.T) {
	eachPool(t, func(t *testing.T, run pool) {
		err := run(t.Context(), open(0, 1), 2, func(ctx context.Context, n int) error {
			if n == 0 {
				exit()
			}
			return hang(ctx, n)
		})
		requirePanic(t, nil, err)
	})
}

func TestWorkersAndSharded_returnContextError(t *testing.T) {
	eachPool(t, func(t *testing.T, run pool) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		assert.Equal(t, context.DeadlineExceeded, run(ctx, nil, 4, hang), "while it waits for a value")

		ctx, cancel = context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		assert.Equal(t, context.DeadlineExceeded, run(ctx, numbers(1000), 4, hang), "while it works")

		ctx, cancelCause := context.WithCancelCause(t.Context())
		cancelCause(errWork)
		assert.Equal(t, context.Canceled, run(ctx, numbers(10), 4, hang), "before it begins")
	})
}

// A context ends its children one after the other, so the stage before the pool
// may close its output before the pool's own context has ended.
func TestWorkersAndSharded_returnCanceledWhenCancelClosesInput(t *testing.T) {
	eachPool(t, func(t *testing.T, run pool) {
		for range 500 {
			ctx, cancel := context.WithCancel(t.Context())
			in := pipe.Map(ctx, make(chan int), double)
			result := make(chan error)
			go func() { result <- run(ctx, in, 2, hang) }() // ends with ctx
			synctest.Wait()
			cancel()
			require.Equal(t, context.Canceled, <-result)
		}
	})
}

// room is the number of values that may wait for a worker of Sharded.
const room = 64

func TestSharded_keepsOrderPerKey(t *testing.T) {
	const keys = 10
	var next [keys]int // each key has one worker, so there is no data race
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

		in <- slow // blocks its worker
		free := 0  // becomes the first key of the other worker
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
		assert.Equal(t, []int{free, free}, done, "no other key is delayed within the bound")

		in <- slow // one more than there is room for
		synctest.Wait()
		select {
		case in <- free:
			t.Error("received beyond the bound")
		default:
		}

		close(release)
		close(in)
		require.NoError(t, <-result)
		assert.Len(t, done, free+1, "every value was processed")
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
	var panicked *bus.PanicError
	require.ErrorAs(t, err, &panicked)
}
