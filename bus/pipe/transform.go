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

// try returns f(v), and reports whether f returned.
func try[T, U any](ctx context.Context, f func(T) U, v T) (u U, returned bool) {
	defer func() { recovered(ctx, returned, recover()) }()
	return f(v), true
}
