// Package observe finds and calls the observers of a connection or a client.
package observe

import (
	"log/slog"
	"runtime/debug"
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
		call(log, o, fn)
	}
}

func call[O any](log *slog.Logger, o O, fn func(O)) {
	defer func() {
		if p := recover(); p != nil {
			log.Error("observer has panicked", "panic", p, "stack", string(debug.Stack()))
		}
	}()
	fn(o)
}
