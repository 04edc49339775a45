package pipe

import (
	"context"
	"errors"
)

// ErrEmpty is what [First] returns if its input closes without a value.
var ErrEmpty = errors.New("pipe: closed without a value")

// Collect returns all values of in once it has closed. If ctx ends first it
// returns the values so far and ctx.Err(), or the [*PanicError] that ended ctx.
// It keeps all that comes: where the end of in is not certain, ctx has to be.
func Collect[T any](ctx context.Context, in <-chan T) ([]T, error) {
	var values []T
	for v := range Seq(ctx, in) {
		values = append(values, v)
	}
	return values, ended(ctx)
}

// First returns the next value of in. If in closes instead it returns
// [ErrEmpty]; if ctx ends first, ctx.Err(), or the [*PanicError] that ended ctx.
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
