package pipe

import (
	"context"
	"iter"
)

// Map sends f(v) for each value v of in, in order.
func Map[T, U any](ctx context.Context, in <-chan T, f func(T) U) <-chan U {
	return stage(func(out chan<- U) {
		for v := range Seq(ctx, in) {
			if u, ok := try(ctx, f, v); ok {
				send(ctx, out, u)
			}
		}
	})
}

// FlatMap sends every value of the sequence f(v) for each value v of in, in
// order. For example, f is [strings.Lines], or returns [slices.Values] of a
// slice.
//
// When ctx ends, a running sequence is stopped at its next value. A sequence
// that panics ends there, after the values that it has sent.
func FlatMap[T, U any](ctx context.Context, in <-chan T, f func(T) iter.Seq[U]) <-chan U {
	return stage(func(out chan<- U) {
		for v := range Seq(ctx, in) {
			if seq, ok := try(ctx, f, v); ok {
				sendAll(ctx, out, seq)
			}
		}
	})
}

// Filter sends the values of in for which keep returns true, in order.
func Filter[T any](ctx context.Context, in <-chan T, keep func(T) bool) <-chan T {
	return stage(func(out chan<- T) {
		for v := range Seq(ctx, in) {
			if kept, ok := try(ctx, keep, v); ok && kept {
				send(ctx, out, v)
			}
		}
	})
}

// Through sends the values of f(values), where values are the values of in. It
// is the stage for a function that keeps state from value to value. The state
// is in local variables, and the rest is yielded after the loop.
//
//	pairs := pipe.Through(ctx, numbers, func(values iter.Seq[int]) iter.Seq[[]int] {
//		return func(yield func([]int) bool) {
//			var pair []int
//			for v := range values {
//				if pair = append(pair, v); len(pair) < 2 {
//					continue
//				}
//				if !yield(pair) {
//					return
//				}
//				pair = nil
//			}
//			if len(pair) > 0 {
//				yield(pair)
//			}
//		}
//	})
//
// The sequence values ends when in closes or ctx ends. After a panic in f the
// output closes.
func Through[T, U any](ctx context.Context, in <-chan T, f func(values iter.Seq[T]) iter.Seq[U]) <-chan U {
	return stage(func(out chan<- U) {
		if seq, ok := try(ctx, f, Seq(ctx, in)); ok {
			sendAll(ctx, out, seq)
		}
	})
}

// try returns f(v), and reports whether f returned.
func try[T, U any](ctx context.Context, f func(T) U, v T) (u U, returned bool) {
	defer func() { recovered(ctx, returned, recover()) }()
	return f(v), true
}
