package pipe

import (
	"context"
	"log/slog"

	"github.com/seed67206a74/parley/bus"
)

// WithCancelOnPanic returns a context for a pipeline that ends at a panic. Like
// the context of [context.WithCancel] it ends with its parent and when cancel
// is called. It also ends at the first panic in a stage that was started with
// it or with a context derived from it. [context.Cause] then returns the
// [*bus.PanicError], and so do [Workers], [Sharded], [Collect] and [First].
func WithCancelOnPanic(parent context.Context) (ctx context.Context, cancel context.CancelFunc) {
	ctx, cancelCause := context.WithCancelCause(parent)
	return context.WithValue(ctx, cancelKey{}, cancelCause), func() { cancelCause(nil) }
}

// cancelKey is the key of a pipeline's context.CancelCauseFunc.
type cancelKey struct{}

// recovered handles the value of recover after a stage's function. It cancels
// the pipeline or logs the panic.
func recovered(ctx context.Context, returned bool, value any) {
	if returned {
		return
	}
	p := bus.NewPanicError(value)
	if cancel, ok := ctx.Value(cancelKey{}).(context.CancelCauseFunc); ok {
		cancel(p)
		return
	}
	slog.ErrorContext(ctx, "a pipeline stage dropped a value", "error", p, "stack", string(p.Stack))
}
