package pipe

import (
	"context"
	"errors"
	"hash/maphash"

	"github.com/seed67206a74/parley/bus"
	"golang.org/x/sync/errgroup"
)

// shardQueue is the number of values that may wait for one worker of [Sharded].
const shardQueue = 64

// Workers calls f for each value of in, up to n calls at a time, in no
// particular order. It returns when every call has returned:
//
//   - nil, if in closed and f returned nil for every value;
//   - the first error of f, or its panic as a [*bus.PanicError]: the context of
//     the other calls is then cancelled, and each worker stops after its call;
//   - ctx.Err(), if ctx ended first; or the [*bus.PanicError] that ended it,
//     see [WithCancelOnPanic].
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

// Sharded calls f for each value of in, in n workers. Values of one key go to
// the same worker, one after the other in their order. Different keys run in
// parallel. It returns like [Workers]; a panic in key is an error like one in
// f.
//
// A hash distributes the keys over the workers. It differs from one call of
// Sharded to the next. Up to 64 values wait for each worker, so a slow key
// delays the keys that share its worker. It delays the others only when 64
// values wait and one more is received: Sharded then receives nothing from in
// until there is room.
func Sharded[T any, K comparable](
	ctx context.Context, in <-chan T, n int, key func(T) K, f func(context.Context, T) error,
) error {
	g, calls := errgroup.WithContext(ctx)
	queues := make([]chan T, max(n, 1))
	for i := range queues {
		queues[i] = make(chan T, shardQueue)
		start(g, func() error { return work(ctx, calls, queues[i], f) })
	}
	start(g, func() error {
		defer func() {
			for _, queue := range queues {
				close(queue)
			}
		}()
		seed := maphash.MakeSeed()
		for v := range Seq(calls, in) {
			shard := maphash.Comparable(seed, key(v)) % uint64(len(queues))
			send(calls, queues[shard], v)
		}
		return nil // the workers return the error
	})
	return outcome(ctx, g.Wait())
}

// work calls f with calls for each value of in. The context calls is a child of
// ctx that the first error in the group cancels.
func work[T any](ctx, calls context.Context, in <-chan T, f func(context.Context, T) error) error {
	for v := range Seq(calls, in) {
		if err := f(calls, v); err != nil {
			return err
		}
	}
	return ended(ctx)
}

// start runs task in a goroutine of g, which ends with task. A panic in task
// becomes an error of the group.
func start(g *errgroup.Group, task func() error) {
	g.Go(func() (err error) {
		returned := false
		defer func() {
			if returned {
				return
			}
			p := bus.NewPanicError(recover())
			if p.Value != nil {
				err = p
				return
			}
			// Goexit ends this goroutine without a return, so another one
			// returns the error.
			g.Go(func() error { return p })
		}()
		err = task()
		returned = true
		return err
	})
}

// outcome returns the result of a group whose first error is err. If the end of
// ctx interrupted the calls, the result is the cause of that end.
func outcome(ctx context.Context, err error) error {
	if cause := ended(ctx); cause != nil && errors.Is(err, ctx.Err()) {
		return cause
	}
	return err
}

// ended returns the reason for the end of ctx, or nil if ctx has not ended.
//
// The sinks call it when their input closes. A stage that closes its output
// because of ctx does so after ctx has ended. So if ctx has not ended, the
// input is complete.
func ended(ctx context.Context) error {
	err := ctx.Err()
	if err == nil {
		return nil
	}
	if p, ok := errors.AsType[*bus.PanicError](context.Cause(ctx)); ok {
		return p
	}
	return err
}
