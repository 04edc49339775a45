package chatnats

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// A tenureCtx is the ctx of a holder. It ends with the tenure.
type tenureCtx struct {
	context.Context
	cancel context.CancelCauseFunc
	token  string // of the lease
	tenure uint64

	answers atomic.Int64 // in flight, of Serve

	mu    sync.Mutex
	until time.Time
	timer *time.Timer
}

func newTenureCtx(parent context.Context, until time.Time) *tenureCtx {
	h := &tenureCtx{until: until}
	h.Context, h.cancel = context.WithCancelCause(parent)
	h.timer = time.AfterFunc(time.Until(until), func() { h.end(ErrLeaseLost) })
	return h
}

// end cancels the ctx.
func (h *tenureCtx) end(cause error) {
	h.cancel(cause)
	h.timer.Stop()
}

// extend moves the end. It has no effect after the end.
func (h *tenureCtx) extend(until time.Time) {
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
func (h *tenureCtx) Err() error {
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
func (h *tenureCtx) left() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	if errors.Is(context.Cause(h.Context), ErrLeaseLost) {
		return 0
	}
	return max(time.Until(h.until), 0)
}

// over reports whether the lease's time has passed.
func (h *tenureCtx) over() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return time.Now().After(h.until)
}

// Value lets tenureOf find the holder's ctx in a derived ctx.
func (h *tenureCtx) Value(key any) any {
	if key == (tenureKey{}) {
		return h
	}
	return h.Context.Value(key)
}

type tenureKey struct{}

// tenureOf returns the holder's ctx if ctx is one, or is derived from one.
func tenureOf(ctx context.Context) (*tenureCtx, bool) {
	h, ok := ctx.Value(tenureKey{}).(*tenureCtx)
	return h, ok
}

// fenced returns ErrLeaseLost if ctx belongs to a holder whose lease is lost or
// has expired.
func fenced(ctx context.Context) error {
	if h, ok := tenureOf(ctx); ok && h.over() || errors.Is(context.Cause(ctx), ErrLeaseLost) {
		return ErrLeaseLost
	}
	return nil
}

// leaseHeader returns the value of HeaderLease for the events of a holder.
func leaseHeader(ctx context.Context) string {
	if h, ok := tenureOf(ctx); ok {
		return headerOf(h.token, h.tenure)
	}
	return ""
}
