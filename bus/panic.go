package bus

import (
	"fmt"
	"runtime/debug"
)

// A PanicError reports that a user's function panicked in a goroutine of this
// module. It does not unwrap to its Value, even if that is an error.
type PanicError struct {
	// Value is the argument of panic. It is nil if the function called
	// [runtime.Goexit] instead, as a failing test does.
	Value any

	// Stack is the stack of the goroutine that panicked, as [debug.Stack]
	// formats it.
	Stack []byte
}

// NewPanicError returns the error for the result of recover in a goroutine that
// is panicking or exiting. The result is nil only if it is exiting: panic(nil)
// panics with a [runtime.PanicNilError].
func NewPanicError(recovered any) *PanicError {
	return &PanicError{Value: recovered, Stack: debug.Stack()}
}

// Error returns one line, without the stack.
func (e *PanicError) Error() string {
	if e.Value == nil {
		return "bus: a function called runtime.Goexit"
	}
	return fmt.Sprintf("bus: panic: %v", e.Value)
}
