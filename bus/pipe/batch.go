package pipe

import (
	"context"
	"math"
	"time"
)

// Batch groups the values of in, in order, into slices of up to n. It sends a
// batch when it holds n values, when d has passed since its first value, or
// when in closes. If d is 0 or less there is no time limit.
//
// While a batch waits for the reader, Batch receives nothing from in. It does
// not reuse the slices.
func Batch[T any](ctx context.Context, in <-chan T, n int, d time.Duration) <-chan []T {
	deadline := func() time.Duration { return d }
	if d <= 0 {
		deadline = func() time.Duration { return math.MaxInt64 }
	}
	return gather(ctx, in, max(n, 1), deadline)
}

// Window groups the values of in, in order, by consecutive intervals of d that
// start at the call. It sends a slice at the end of its interval, or when in
// closes. It sends no empty slices. If d is 0 or less, each value is a window.
//
// While a window waits for the reader, Window receives nothing from in. Values
// belong to the interval in which they are received. It does not reuse the
// slices. The size of a window is not bounded; that of a [Batch] is.
func Window[T any](ctx context.Context, in <-chan T, d time.Duration) <-chan []T {
	if d <= 0 {
		return Batch(ctx, in, 1, 0)
	}
	start := time.Now()
	return gather(ctx, in, math.MaxInt, func() time.Duration { return d - time.Since(start)%d })
}

// gather sends slices of up to n values. It calls deadline for each slice when
// it has received the first value.
func gather[T any](ctx context.Context, in <-chan T, n int, deadline func() time.Duration) <-chan []T {
	return stage(func(out chan<- []T) {
		for first := range Seq(ctx, in) {
			send(ctx, out, fill(ctx, in, first, n, deadline()))
		}
	})
}

// fill returns first and the next values of in, until there are n values, d has
// passed, in has closed or ctx has ended.
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
