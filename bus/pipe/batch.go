package pipe

import (
	"context"
	"math"
	"time"
)

// Batch gathers the values of in, in order, into slices of up to n. A batch is
// sent when it holds n values, when d has passed since its first one, or when
// in closes. With a d of 0 or less, time sends none.
//
// While a batch waits to be read, nothing is taken from in. Each slice is the
// reader's own.
func Batch[T any](ctx context.Context, in <-chan T, n int, d time.Duration) <-chan []T {
	deadline := func() time.Duration { return d }
	if d <= 0 {
		deadline = func() time.Duration { return math.MaxInt64 }
	}
	return gather(ctx, in, max(n, 1), deadline)
}

// Window gathers the values of in, in order, into slices of what came within
// the same d. Windows follow one another from the call on, each d long; a
// window is sent when it is over, or when in closes, and not at all if it is
// empty. With a d of 0 or less, each value is a window.
//
// While a window waits to be read, nothing is taken from in; the values that
// come meanwhile fall into the window in which they are taken. Each slice is
// the reader's own. A window is as large as what came: where a flood is
// possible, [Batch] bounds it.
func Window[T any](ctx context.Context, in <-chan T, d time.Duration) <-chan []T {
	if d <= 0 {
		return Batch(ctx, in, 1, 0)
	}
	start := time.Now()
	return gather(ctx, in, math.MaxInt, func() time.Duration { return d - time.Since(start)%d })
}

// gather sends slices of up to n values. It asks for a slice's deadline when
// it has the first value.
func gather[T any](ctx context.Context, in <-chan T, n int, deadline func() time.Duration) <-chan []T {
	return stage(func(out chan<- []T) {
		for first := range Seq(ctx, in) {
			send(ctx, out, fill(ctx, in, first, n, deadline()))
		}
	})
}

// fill adds to first what in delivers, until there are n values, d has passed,
// or in or ctx has ended.
func fill[T any](ctx context.Context, in <-chan T, first T, n int, d time.Duration) []T {
	timer := time.NewTimer(d)
	defer timer.Stop()
	values := []T{first}
	for len(values) < n {
		select {
		case v, ok := <-in:
			if !ok {
				return values
			}
			values = append(values, v)
		case <-timer.C:
			return values
		case <-ctx.Done():
			return values
		}
	}
	return values
}
