package pipe

import (
	"context"
	"iter"
)

// Seq returns what in delivers, as an iterator to range over. It ends when in
// closes or ctx ends, and ctx.Err() says which. An iteration that begins after
// ctx has ended takes nothing from in.
//
// Breaking out of the loop leaves in to its other readers; the iterator can be
// ranged over again, and goes on with the next value. It has no goroutine of
// its own.
func Seq[T any](ctx context.Context, in <-chan T) iter.Seq[T] {
	return func(yield func(T) bool) {
		for {
			v, ok := receive(ctx, in)
			if !ok || !yield(v) {
				return
			}
		}
	}
}

// FromSeq sends the values of seq. Its output closes at the end of seq, or
// when ctx ends: at the next value of seq, if it is working on one.
//
// A panic in seq ends it there.
func FromSeq[T any](ctx context.Context, seq iter.Seq[T]) <-chan T {
	return stage(func(out chan<- T) { sendAll(ctx, out, seq) })
}

// sendAll sends the values of seq.
func sendAll[T any](ctx context.Context, out chan<- T, seq iter.Seq[T]) {
	returned := false
	defer func() { recovered(ctx, returned, recover()) }()
	for v := range seq {
		if !send(ctx, out, v) {
			break
		}
	}
	returned = true
}
