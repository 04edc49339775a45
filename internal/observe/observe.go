// Package observe finds and calls the observers of a connection or a client.
package observe

import (
	"errors"
	"log/slog"

	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/internal/guard"
)

// Of returns the observers that implement O, nil if there are none.
func Of[O any](observers []any) []O {
	var of []O
	for _, observer := range observers {
		if o, ok := observer.(O); ok {
			of = append(of, o)
		}
	}
	return of
}

// Each calls fn with each of the observers. A panic of an observer is logged,
// and the others are still called. The caller holds no lock.
func Each[O any](log *slog.Logger, observers []O, fn func(O)) {
	for _, o := range observers {
		if err := guard.Call(func() error { fn(o); return nil }); err != nil {
			report(log, err)
		}
	}
}

func report(log *slog.Logger, err error) {
	var panicked *bus.PanicError
	if errors.As(err, &panicked) { // fn returns no other error
		guard.Log(log, panicked, "observer has panicked")
	}
}
