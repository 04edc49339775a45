package pipe

import (
	"context"
	"slices"
	"sync"
)

// Merge sends the values of all inputs as they arrive. It keeps the order of
// each input. No input waits for another. The output closes when every input
// has closed: at once without inputs, and only with ctx if an input is nil.
func Merge[T any](ctx context.Context, ins ...<-chan T) <-chan T {
	ins = slices.Clone(ins) // the caller may change its slice
	return stage(func(out chan<- T) {
		var readers sync.WaitGroup
		for _, in := range ins {
			readers.Go(func() { // ends with in or ctx
				for v := range Seq(ctx, in) {
					send(ctx, out, v)
				}
			})
		}
		readers.Wait()
	})
}

// Tee sends each value of in to both of its outputs. It receives the next value
// after both readers have received the last one, so a reader that stops blocks
// the other. Use subscriptions of package bus for readers that must not wait
// for each other.
//
// The copies are shallow: both readers share the memory that a value points to.
func Tee[T any](ctx context.Context, in <-chan T) (<-chan T, <-chan T) {
	second := make(chan T)
	first := stage(func(out chan<- T) {
		defer close(second)
		for v := range Seq(ctx, in) {
			sendBoth(ctx, out, second, v)
		}
	})
	return first, second
}

// sendBoth sends v to a and b, in either order.
func sendBoth[T any](ctx context.Context, a, b chan<- T, v T) {
	for a != nil || b != nil {
		select {
		case a <- v:
			a = nil
		case b <- v:
			b = nil
		case <-ctx.Done():
			return
		}
	}
}
