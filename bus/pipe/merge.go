package pipe

import (
	"context"
	"slices"
	"sync"
)

// Merge sends the values of all inputs as they come. Those of one input stay
// in order; no input waits for another. The output closes when every input
// has closed: at once if there is none, and only with ctx if one is nil.
func Merge[T any](ctx context.Context, ins ...<-chan T) <-chan T {
	ins = slices.Clone(ins) // the caller's slice is the caller's to change
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

// Tee sends each value of in to both of its outputs. The next value waits
// until both have been read: the slower reader sets the pace, and one that
// stops holds up the other. For readers that must not wait for each other
// there are the subscriptions of package bus.
//
// A value is shared, not copied deeply: whatever it points to, both readers
// have.
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

// sendBoth sends v to a and b, in the order in which they are read.
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
