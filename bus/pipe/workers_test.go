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

// eachPool runs test in a bubble for both; one that leaves a goroutine fails.
func eachPool(t *testing.T, test func(t *testing.T, run pool)) {
	for name, run := range pools {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, run) })
		})
	}
}

// hang waits until its context ends, as a well-behaved job does.
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
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			err := pipe.Workers(t.Context(), numbers(6), n, func(context.Context, int) error {
				pass(time.Second)
				return nil
			})
			require.NoError(t, err)
			assert.Equal(t, time.Duration(rounds)*time.Second, time.Since(start))
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
		assert.NotEmpty(t, in, "what is left stays where it is")
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
