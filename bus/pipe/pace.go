package pipe

import (
	"context"
	"time"
)

// Throttle sends at most one value in any period d. It sends the first value at
// once, and after each d the latest value received meanwhile, if any. It drops
// the others. It never drops the last value of in: if d is still running when
// in closes, the output stays open until it has passed.
//
// A newer value replaces a value that waits for the reader. If d is 0 or less,
// that is the only effect: a reader that keeps up receives every value, and a
// slow reader the latest. The input never waits for the reader.
func Throttle[T any](ctx context.Context, in <-chan T, d time.Duration) <-chan T {
	return latest(ctx, in, d, afterSend)
}

// Debounce sends a value after d has passed without another. Of values that
// follow each other faster it sends the last and drops the others. When in
// closes, a value that still waits for its d is sent at once.
//
// A newer value replaces a value that waits for the reader, and waits for its
// own d. If d is 0 or less, Debounce works like [Throttle]. The input never
// waits for the reader.
func Debounce[T any](ctx context.Context, in <-chan T, d time.Duration) <-chan T {
	return latest(ctx, in, d, afterReceive)
}

// trigger is the event that starts a pause of d.
type trigger int

const (
	afterSend trigger = iota
	afterReceive
)

// latest keeps the newest value of in, and sends it outside of pauses.
func latest[T any](ctx context.Context, in <-chan T, d time.Duration, begins trigger) <-chan T {
	return stage(func(out chan<- T) {
		h := hold[T]{begins: begins, d: d, over: true, timer: time.NewTimer(d)}
		h.timer.Stop() // there is no pause yet
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
		var output chan<- T
		if h.held && h.over {
			output = out
		}
		// A reader that waits already gets this value, not a newer one.
		select {
		case output <- h.value:
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
		case output <- h.value:
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
	h.value, h.held = zero, false // keep no reference to it
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
