package pipe

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
)

// A PanicError reports a panic of a function passed to this package. It does
// not unwrap to its Value, even if that is an error.
type PanicError struct {
	// Value is the argument of panic. It is nil if the function called
	// [runtime.Goexit] instead, as a failing test does.
	Value any

	// Stack is the stack of the goroutine that panicked, as [debug.Stack]
	// formats it.
	Stack []byte
}

// Error returns one line, without the stack.
func (e *PanicError) Error() string {
	if e.Value == nil {
		return "pipe: a function called runtime.Goexit"
	}
	return fmt.Sprintf("pipe: panic: %v", e.Value)
}

// newPanicError returns the error for the value of recover in a goroutine that
// is panicking or exiting. The value is nil only if it is exiting: panic(nil)
// panics with a [runtime.PanicNilError].
func newPanicError(value any) *PanicError {
	return &PanicError{Value: value, Stack: debug.Stack()}
}

// WithCancelOnPanic returns a context for a pipeline that ends at a panic. Like
// the context of [context.WithCancel] it ends with its parent and when cancel
// is called. It also ends at the first panic in a stage that was started with
// it or with a context derived from it. [context.Cause] then returns the
// [*PanicError], and so do [Workers], [Sharded], [Collect] and [First].
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
	p := newPanicError(value)
	if cancel, ok := ctx.Value(cancelKey{}).(context.CancelCauseFunc); ok {
		cancel(p)
		return
	}
	slog.ErrorContext(ctx, "a pipeline stage dropped a value", "error", p, "stack", string(p.Stack))
}
