package pipe

import (
	"context"
	"time"
)

// Throttle sends at most one value in any d: the first one at once, and each
// time d is over, the latest of those that have come meanwhile, if any. The
// others are dropped. The last value of in is never dropped; if d is still
// running when in closes, the output stays open until it is over.
//
// A value that waits to be read gives way to a newer one. With a d of 0 or less
// that is all there is to it: a reader that keeps up misses nothing, and one
// that does not gets the latest. The input never waits for the reader.
func Throttle[T any](ctx context.Context, in <-chan T, d time.Duration) <-chan T {
	return latest(ctx, in, d, afterSend)
}

// Debounce sends a value once d has passed without another: of values that
// follow one another faster it sends the last, and drops the others. When in
// closes, a value that is still waiting for its d is sent at once.
//
// A value that waits to be read gives way to a newer one, which waits for its
// own d. With a d of 0 or less it does what [Throttle] does then. The input
// never waits for the reader.
func Debounce[T any](ctx context.Context, in <-chan T, d time.Duration) <-chan T {
	return latest(ctx, in, d, afterReceive)
}

// trigger is what a pause of d begins with.
type trigger int

const (
	afterSend trigger = iota
	afterReceive
)

// latest holds the newest value of in, and sends it when no pause is on.
func latest[T any](ctx context.Context, in <-chan T, d time.Duration, begins trigger) <-chan T {
	return stage(func(out chan<- T) {
		h := hold[T]{begins: begins, d: d, over: true, timer: time.NewTimer(d)}
		h.timer.Stop() // no pause is on yet
		defer h.timer.Stop()
		h.run(ctx, in, out)
	})
}

// hold is the newest value and the pause before it is sent.
type hold[T any] struct {
	begins trigger
	d      time.Duration
	timer  *time.Timer
	over   bool

	value T
	held  bool
}

func (h *hold[T]) run(ctx context.Context, in <-chan T, out chan<- T) {
	closed := false
	for !closed || h.held {
		if ctx.Err() != nil {
			return
		}
		var sink chan<- T
		if h.held && h.over {
			sink = out
		}
		// A reader that is there gets this value, not one that replaces it.
		select {
		case sink <- h.value:
			h.sent()
			continue
		default:
		}
		source := in
		if closed {
			source = nil
		}
		select {
		case v, ok := <-source:
			if ok {
				h.received(v)
			} else {
				closed = true
				h.over = h.over || h.begins == afterReceive
			}
		case sink <- h.value:
			h.sent()
		case <-h.timer.C:
			h.over = true
		case <-ctx.Done():
			return
		}
	}
}

func (h *hold[T]) received(v T) {
	h.value, h.held = v, true
	if h.begins == afterReceive {
		h.restart()
	}
}

func (h *hold[T]) sent() {
	var zero T
	h.value, h.held = zero, false // what it pointed to is the reader's alone
	if h.begins == afterSend {
		h.restart()
	}
}

func (h *hold[T]) restart() {
	if h.d > 0 {
		h.over = false
		h.timer.Reset(h.d)
	}
}
