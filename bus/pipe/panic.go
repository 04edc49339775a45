package pipe

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
)

// A PanicError is the panic of a function that was given to this package. It
// does not unwrap to its Value: a panic with an error is not that error.
type PanicError struct {
	// Value is what panic was called with. It is nil if the function called
	// [runtime.Goexit] instead, as a failing test does.
	Value any

	// Stack is the stack of the goroutine that panicked, as [debug.Stack]
	// formats it.
	Stack []byte
}

// Error is one line, without the stack.
func (e *PanicError) Error() string {
	if e.Value == nil {
		return "pipe: a function called runtime.Goexit"
	}
	return fmt.Sprintf("pipe: panic: %v", e.Value)
}

// newPanicError is for what recover returned in a goroutine that is panicking
// or exiting. It is nil in the latter only: panic(nil) panics with a
// [runtime.PanicNilError].
func newPanicError(value any) *PanicError {
	return &PanicError{Value: value, Stack: debug.Stack()}
}

// WithCancelOnPanic returns a context for a pipeline that is not to go on after
// a panic. It ends with its parent and when cancel is called, as that of
// [context.WithCancel] does; and with the first panic in a stage that was
// started with it or with a context derived from it. [context.Cause] is then
// the [*PanicError], and so is what [Workers], [Sharded], [Collect] and [First]
// return.
func WithCancelOnPanic(parent context.Context) (ctx context.Context, cancel context.CancelFunc) {
	ctx, cancelCause := context.WithCancelCause(parent)
	return context.WithValue(ctx, cancelKey{}, cancelCause), func() { cancelCause(nil) }
}

// cancelKey is the key of a pipeline's context.CancelCauseFunc.
type cancelKey struct{}

// recovered deals with what recover returned after a function of a stage. The
// stage goes on, unless it is being ended by Goexit or ctx has just been.
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
