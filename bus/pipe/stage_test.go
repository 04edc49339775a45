package pipe_test

import (
	"context"
	"iter"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/seed67206a74/parley/bus/pipe"
)

// stages are all stages, each set up to send every value. They return their
// output channels.
var stages = map[string]func(ctx context.Context, in <-chan int) []any{
	"Map": func(ctx context.Context, in <-chan int) []any {
		return []any{pipe.Map(ctx, in, double)}
	},
	"FlatMap": func(ctx context.Context, in <-chan int) []any {
		return []any{pipe.FlatMap(ctx, in, twice)}
	},
	"Filter": func(ctx context.Context, in <-chan int) []any {
		return []any{pipe.Filter(ctx, in, func(int) bool { return true })}
	},
	"Merge": func(ctx context.Context, in <-chan int) []any {
		return []any{pipe.Merge(ctx, in, in)}
	},
	"Tee": func(ctx context.Context, in <-chan int) []any {
		a, b := pipe.Tee(ctx, in)
		return []any{a, b}
	},
	"Batch": func(ctx context.Context, in <-chan int) []any {
		return []any{pipe.Batch(ctx, in, 2, time.Minute)}
	},
	"Window": func(ctx context.Context, in <-chan int) []any {
		return []any{pipe.Window(ctx, in, time.Second)}
	},
	"Throttle": func(ctx context.Context, in <-chan int) []any {
		return []any{pipe.Throttle(ctx, in, time.Second)}
	},
	"Debounce": func(ctx context.Context, in <-chan int) []any {
		return []any{pipe.Debounce(ctx, in, time.Second)}
	},
	"FromSeq": func(ctx context.Context, in <-chan int) []any {
		return []any{pipe.FromSeq(ctx, pipe.Seq(ctx, in))}
	},
}

func twice(n int) iter.Seq[int] { return slices.Values([]int{n, n}) }

// eachStage runs test in a bubble for every stage. A leaked goroutine fails the
// bubble.
func eachStage(t *testing.T, test func(t *testing.T, start func(context.Context, <-chan int) []any)) {
	for name, start := range stages {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, start) })
		})
	}
}

// isClosed reports whether a channel of any type is closed and empty.
func isClosed(c any) bool {
	chosen, _, ok := reflect.Select([]reflect.SelectCase{
		{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(c)},
		{Dir: reflect.SelectDefault},
	})
	return chosen == 0 && !ok
}

func TestStage_closesOutputWhenInputCloses(t *testing.T) {
	eachStage(t, func(t *testing.T, start func(context.Context, <-chan int) []any) {
		for _, out := range start(t.Context(), of[int]()) {
			synctest.Wait()
			assert.True(t, isClosed(out))
		}
	})
}

func TestStage_closesOnCancelWhileWaitingForInput(t *testing.T) {
	eachStage(t, func(t *testing.T, start func(context.Context, <-chan int) []any) {
		ctx, cancel := context.WithCancel(t.Context())
		outs := start(ctx, make(chan int))
		synctest.Wait()
		for _, out := range outs {
			assert.False(t, isClosed(out))
		}
		cancel()
		synctest.Wait()
		for _, out := range outs {
			assert.True(t, isClosed(out))
		}
	})
}

func TestStage_closesOnCancelWhileWaitingForReader(t *testing.T) {
	eachStage(t, func(t *testing.T, start func(context.Context, <-chan int) []any) {
		ctx, cancel := context.WithCancel(t.Context())
		outs := start(ctx, numbers(10))
		pass(time.Minute) // until every stage waits for its reader
		cancel()
		synctest.Wait()
		for _, out := range outs {
			assert.True(t, isClosed(out))
		}
	})
}

func TestStage_closesOnlyOnCancelWithNilInput(t *testing.T) {
	eachStage(t, func(t *testing.T, start func(context.Context, <-chan int) []any) {
		ctx, cancel := context.WithCancel(t.Context())
		outs := start(ctx, nil)
		pass(time.Hour)
		for _, out := range outs {
			assert.False(t, isClosed(out))
		}
		cancel()
		synctest.Wait()
		for _, out := range outs {
			assert.True(t, isClosed(out))
		}
	})
}

func TestStage_readsNothingWithCanceledContext(t *testing.T) {
	eachStage(t, func(t *testing.T, start func(context.Context, <-chan int) []any) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		in := numbers(10)
		for range 20 { // a select would pick either case
			for _, out := range start(ctx, in) {
				synctest.Wait()
				assert.True(t, isClosed(out))
			}
		}
		assert.Len(t, in, 10)
	})
}

// goleak finds a goroutine that remains.
func TestPipeline_leavesNoGoroutineAfterCancel(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		ctx, cancel := context.WithCancel(t.Context())
		var in <-chan int = pipe.FromSeq(ctx, func(yield func(int) bool) {
			for n := 0; yield(n); n++ {
			}
		})
		for range random.IntN(6) {
			in = extend(ctx, in, random.IntN(6))
		}
		for range random.IntN(50) {
			<-in
		}
		cancel()
		for range in {
		}
	}
}

// extend adds a stage that keeps sending while in does.
func extend(ctx context.Context, in <-chan int, stage int) <-chan int {
	switch stage {
	case 0:
		return pipe.Map(ctx, in, double)
	case 1:
		return pipe.FlatMap(ctx, in, twice)
	case 2:
		return pipe.FlatMap(ctx, pipe.Batch(ctx, in, 3, time.Millisecond), slices.Values)
	case 3:
		return pipe.Merge(ctx, in, in, in)
	case 4:
		a, b := pipe.Tee(ctx, in)
		return pipe.Merge(ctx, a, b)
	default:
		return pipe.Throttle(ctx, in, 0)
	}
}
