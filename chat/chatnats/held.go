package chatnats

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// held is the ctx of a holder.
type held struct {
	context.Context
	cancel context.CancelCauseFunc
	token  string // of the lease
	tenure uint64

	answers atomic.Int64 // in flight, of Serve

	mu    sync.Mutex
	until time.Time
	timer *time.Timer
}

func newHeld(parent context.Context, until time.Time) *held {
	h := &held{until: until}
	h.Context, h.cancel = context.WithCancelCause(parent)
	h.timer = time.AfterFunc(time.Until(until), func() { h.end(ErrLeaseLost) })
	return h
}

// end cancels the ctx.
func (h *held) end(cause error) {
	h.cancel(cause)
	h.timer.Stop()
}

// extend moves the end. It has no effect after the end.
func (h *held) extend(until time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if time.Now().After(h.until) {
		return
	}
	h.until = until
	h.timer.Reset(time.Until(until))
}

// Err returns nil while the lease lasts. It compares the time and does not rely
// on the timer.
func (h *held) Err() error {
	if err := h.Context.Err(); err != nil {
		return err
	}
	if h.over() {
		h.end(ErrLeaseLost)
		return h.Context.Err()
	}
	return nil
}

// left returns how long the lease lasts, or 0 when it is lost.
func (h *held) left() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	if errors.Is(context.Cause(h.Context), ErrLeaseLost) {
		return 0
	}
	return max(time.Until(h.until), 0)
}

// over reports whether the lease's time has passed.
func (h *held) over() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return time.Now().After(h.until)
}

// Value lets heldBy find the holder's ctx in a derived ctx.
func (h *held) Value(key any) any {
	if key == (heldKey{}) {
		return h
	}
	return h.Context.Value(key)
}

type heldKey struct{}

// heldBy returns the holder's ctx if ctx is one, or is derived from one.
func heldBy(ctx context.Context) (*held, bool) {
	h, ok := ctx.Value(heldKey{}).(*held)
	return h, ok
}

// fenced returns ErrLeaseLost if ctx belongs to a holder whose lease is lost or
// has expired.
func fenced(ctx context.Context) error {
	if h, ok := heldBy(ctx); ok && h.over() || errors.Is(context.Cause(ctx), ErrLeaseLost) {
		return ErrLeaseLost
	}
	return nil
}

// leaseHeader returns the value of HeaderLease for the events of a holder.
func leaseHeader(ctx context.Context) string {
	if h, ok := heldBy(ctx); ok {
		return headerOf(h.token, h.tenure)
	}
	return ""
}
