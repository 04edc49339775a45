// Package guard runs the user's functions in goroutines of this module, so that
// a panic ends neither the program nor the other work of the goroutine.
package guard

import (
	"log/slog"

	"github.com/seed67206a74/parley/bus"
)

// Call calls fn and returns its error. If fn panics, the error is a
// [*bus.PanicError]. [runtime.Goexit] still ends the goroutine.
func Call(fn func() error) (err error) {
	Then(fn, func(result error) { err = result })
	return err
}

// Then calls fn, and then done with the error of fn, in the same goroutine. If
// fn panics or calls [runtime.Goexit], the error is a [*bus.PanicError]. After
// a panic Then returns as usual. After Goexit the goroutine ends, and done is
// its last step.
func Then(fn func() error, done func(error)) {
	var err error
	returned := false
	defer func() {
		if !returned {
			err = bus.NewPanicError(recover())
		}
		done(err)
	}()
	err = fn()
	returned = true
}

// Log logs a panic as an error, with its value and stack after args. A panic of
// the log handler, which may have been the cause, is ignored.
func Log(log *slog.Logger, panicked *bus.PanicError, msg string, args ...any) {
	_ = Call(func() error {
		log.Error(msg, append(args, "panic", panicked.Value, "stack", string(panicked.Stack))...)
		return nil
	})
}
