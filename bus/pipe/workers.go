package pipe

import (
	"context"
	"errors"

	"golang.org/x/sync/errgroup"
)

// Workers calls f for each value of in, up to n calls at a time, in no
// particular order. It returns when every call has returned:
//
//   - nil, if in closed and f returned nil for every value;
//   - the first error of f, or its panic as a [*PanicError]: the context of the
//     other calls is then cancelled, and each worker stops after its call;
//   - ctx.Err(), if ctx ended first; or the [*PanicError] that ended it, see
//     [WithCancelOnPanic].
//
// The context that f gets ends with ctx, with the first error, and when Workers
// returns.
func Workers[T any](ctx context.Context, in <-chan T, n int, f func(context.Context, T) error) error {
	g, calls := errgroup.WithContext(ctx)
	for range max(n, 1) {
		start(g, func() error { return work(ctx, calls, in, f) })
	}
	return outcome(ctx, g.Wait())
}

// work calls f for what it gets from in. Its calls' context is a child of ctx
// that the first error in the group cancels.
func work[T any](ctx, calls context.Context, in <-chan T, f func(context.Context, T) error) error {
	for v := range Seq(calls, in) {
		if err := f(calls, v); err != nil {
			return err
		}
	}
	return ended(ctx)
}

// start runs task in a goroutine of g, which ends with task. A panic in task is
// an error of the group.
func start(g *errgroup.Group, task func() error) {
	g.Go(func() (err error) {
		returned := false
		defer func() {
			if returned {
				return
			}
			p := newPanicError(recover())
			if p.Value != nil {
				err = p
				return
			}
			// Goexit is ending this goroutine: it returns nothing any more, so
			// another has to say so.
			g.Go(func() error { return p })
		}()
		err = task()
		returned = true
		return err
	})
}

// outcome is what a group whose first error is err says to its caller. Calls
// that the end of ctx cut short say that they were cancelled: what matters then
// is what ended ctx.
func outcome(ctx context.Context, err error) error {
	if cause := ended(ctx); cause != nil && errors.Is(err, ctx.Err()) {
		return cause
	}
	return err
}

// ended says why ctx has ended, nil if it has not.
//
// Ends of a pipeline ask it when their input closes. A stage that closed its
// output because of ctx, did so after ctx had ended: if ctx has not ended, the
// input is complete.
func ended(ctx context.Context) error {
	err := ctx.Err()
	if err == nil {
		return nil
	}
	if p, ok := errors.AsType[*PanicError](context.Cause(ctx)); ok {
		return p
	}
	return err
}
