package pipe

import (
	"context"
	"errors"
	"iter"
)

// ErrEmpty is returned by [First] if its input closes without a value.
var ErrEmpty = errors.New("pipe: closed without a value")

// Seq returns an iterator over the values of in. It ends when in closes or ctx
// ends; ctx.Err() is nil in the first case. An iteration that begins after ctx
// has ended receives nothing from in.
//
// Breaking out of the loop leaves the remaining values in the channel. The
// iterator can be used again and continues with the next value. It starts no
// goroutine.
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

// FromSeq sends the values of seq. Its output closes at the end of seq, after a
// panic in seq, or when ctx ends. It does not interrupt seq: if ctx ends while
// seq runs, the output closes at seq's next value.
func FromSeq[T any](ctx context.Context, seq iter.Seq[T]) <-chan T {
	return stage(func(out chan<- T) { sendAll(ctx, out, seq) })
}

// FromSeq2 sends the values of seq, such as the text of a chat.Stream. Its
// output closes as that of [FromSeq] does, and at the first error. The source
// of seq reports that error, not the stage.
func FromSeq2[T any](ctx context.Context, seq iter.Seq2[T, error]) <-chan T {
	return FromSeq(ctx, func(yield func(T) bool) {
		for v, err := range seq {
			if err != nil || !yield(v) {
				return
			}
		}
	})
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

// Collect returns all values of in after in has closed. If ctx ends first it
// returns the values so far and ctx.Err(), or the [*bus.PanicError] that ended
// ctx. It keeps every value in memory, so ctx must end if in never closes.
func Collect[T any](ctx context.Context, in <-chan T) ([]T, error) {
	var values []T
	for v := range Seq(ctx, in) {
		values = append(values, v)
	}
	return values, ended(ctx)
}

// First returns the next value of in. If in closes instead it returns
// [ErrEmpty]. If ctx ends first it returns ctx.Err(), or the [*bus.PanicError]
// that ended ctx.
func First[T any](ctx context.Context, in <-chan T) (T, error) {
	v, ok := receive(ctx, in)
	if ok {
		return v, nil
	}
	if err := ended(ctx); err != nil {
		return v, err
	}
	return v, ErrEmpty
}
