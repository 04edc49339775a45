package chatnats

import (
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/seed67206a74/parley/events"
)

// DefaultLease is how long a lease lasts without being renewed.
const DefaultLease = 6 * time.Second

// ErrLeaseLost is what the ctx of a holder ends with when its lease has.
var ErrLeaseLost = errors.New("chatnats: the lease is lost")

// LeaseConfig says how a lease is held. Its zero value is ready to use; all
// instances that compete for a lease use the same TTL.
type LeaseConfig struct {
	// TTL is how long a lease lasts without being renewed, a second or more: a
	// holder renews it four times as often, and stops when three quarters of it
	// have passed since it asked for the last renewal that it got. Another instance takes
	// over when it has seen no renewal for all of it. Default: DefaultLease.
	TTL time.Duration

	// ID is what the lease says about its holder. Default: a random one.
	ID string
}

// RunWithLease competes for the lease of a chat, and calls hold when it has it. The ctx
// of hold ends when that of RunWithLease does, or with [ErrLeaseLost] when the lease cannot be
// renewed. hold must then return at once: for a quarter of the TTL nobody else has
// the lease. After a lost lease RunWithLease competes again; when hold returns by
// itself, RunWithLease releases the lease and returns the error of hold. It returns nil when ctx
// has ended.
//
// One lease can stand for many chats: whatever id is given names it.
//
// The ctx's Err compares clocks when it is called, and so a process that was stopped
// learns from it at once, before any timer has fired, that its time is over.
func RunWithLease(ctx context.Context, b *Bus, chat events.ID, cfg LeaseConfig, hold func(ctx context.Context) error) error {
	setDefault(&cfg.TTL, DefaultLease)
	setDefault(&cfg.ID, rand.Text())
	if cfg.TTL < time.Second {
		return errors.New("chatnats: LeaseConfig.TTL is below a second")
	}
	l := &lease{bus: b, cfg: cfg, key: "leases." + tokenOf(chat)}
	for {
		err := b.persist(ctx, "lease", l.acquire)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		err = l.held(ctx, hold)
		if !errors.Is(err, ErrLeaseLost) {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		b.log.Warn("chatnats: the lease is lost", "chat", chat.String())
	}
}

// Holder returns the ID of whoever holds the lease of a chat, "" if nobody
// does; as far as the bucket knows: the holder may have died.
func Holder(ctx context.Context, b *Bus, chat events.ID) (string, error) {
	entry, err := b.kv.Get(ctx, "leases."+tokenOf(chat))
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return string(entry.Value()), nil
}

// A lease is a key that only one can write: each write names the revision that
// it replaces. Nothing depends on the clocks of servers, or on what two clocks say:
// the holder and those who wait each measure a time that has passed, and the
// holder's begins earlier and ends sooner.
type lease struct {
	bus *Bus
	cfg LeaseConfig
	key string

	revision uint64
	asked    time.Time // when the renewal was asked for that revision stands for

	seen  uint64    // the revision of another holder
	since time.Time // when it was seen first
}

// acquire waits for the lease.
func (l *lease) acquire(ctx context.Context) error {
	l.seen = 0
	tick := time.NewTicker(l.cfg.TTL / 8)
	defer tick.Stop()
	for {
		won, err := l.try(ctx)
		if won || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// try takes the lease if nobody has it, or if its holder has not been heard of for
// the TTL.
func (l *lease) try(ctx context.Context) (won bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, l.cfg.TTL/2)
	defer cancel()
	asked := time.Now()
	entry, err := l.bus.kv.Get(ctx, l.key)
	var revision uint64
	switch {
	case errors.Is(err, jetstream.ErrKeyNotFound):
		revision, err = l.bus.kv.Create(ctx, l.key, []byte(l.cfg.ID))
	case err != nil:
		return false, err
	case entry.Revision() != l.seen:
		l.seen, l.since = entry.Revision(), time.Now()
		return false, nil
	case time.Since(l.since) < l.cfg.TTL:
		return false, nil
	default:
		revision, err = l.bus.kv.Update(ctx, l.key, []byte(l.cfg.ID), entry.Revision())
	}
	if conflict(err) {
		return false, nil // somebody else was faster
	}
	if err != nil {
		return false, err
	}
	l.revision, l.asked = revision, asked
	return true, nil
}

// conflict reports whether a write failed because the key has another revision.
func conflict(err error) bool {
	var failed *jetstream.APIError
	return errors.Is(err, jetstream.ErrKeyExists) ||
		errors.As(err, &failed) && failed.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence
}

// held runs hold while the lease lasts.
func (l *lease) held(ctx context.Context, hold func(ctx context.Context) error) error {
	h := newHeld(ctx, l.until())
	defer h.end(nil)
	done := make(chan error, 1)
	go func() { done <- hold(h) }() // ends soon after h has
	tick := time.NewTicker(l.cfg.TTL / 4)
	defer tick.Stop()
	for {
		select {
		case err := <-done:
			l.release(ctx)
			if fenced(h) != nil {
				return ErrLeaseLost
			}
			return err
		case <-h.Done():
			err := <-done
			if cause := context.Cause(h); errors.Is(cause, ErrLeaseLost) {
				return ErrLeaseLost
			}
			l.release(ctx)
			return err
		case <-tick.C:
			l.renew(h)
		}
	}
}

// until is when the holder stops, unless the lease is renewed.
func (l *lease) until() time.Time { return l.asked.Add(l.cfg.TTL * 3 / 4) }

// renew writes the key again. A failed write may have arrived all the same: then
// the revision is no longer known, and is looked up.
func (l *lease) renew(h *held) {
	ctx, cancel := context.WithDeadline(h, l.until())
	defer cancel()
	asked := time.Now()
	revision, err := l.bus.kv.Update(ctx, l.key, []byte(l.cfg.ID), l.revision)
	switch {
	case err == nil:
		l.revision, l.asked = revision, asked
		h.extend(l.until())
	case conflict(err):
		entry, err := l.bus.kv.Get(ctx, l.key)
		if err != nil {
			return // there is another try
		}
		if string(entry.Value()) != l.cfg.ID {
			h.end(ErrLeaseLost)
			return
		}
		l.revision = entry.Revision()
	}
}

// release gives the lease back, if it is still this one's.
func (l *lease) release(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), longPause)
	defer cancel()
	_ = l.bus.kv.Delete(ctx, l.key, jetstream.LastRevision(l.revision)) // else it ends with its time
}

// held is the ctx of a holder.
type held struct {
	context.Context
	cancel context.CancelCauseFunc

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

// end ends the ctx, for good.
func (h *held) end(cause error) {
	h.cancel(cause)
	h.timer.Stop()
}

// extend moves the end. It does not bring back what has ended.
func (h *held) extend(until time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if time.Now().After(h.until) {
		return
	}
	h.until = until
	h.timer.Reset(time.Until(until))
}

// Err is nil as long as the lease lasts. It does not wait for a timer to say that
// it is over.
func (h *held) Err() error {
	if err := h.Context.Err(); err != nil {
		return err
	}
	h.mu.Lock()
	over := time.Now().After(h.until)
	h.mu.Unlock()
	if over {
		h.end(ErrLeaseLost)
		return h.Context.Err()
	}
	return nil
}

// Value gives what is derived from the ctx a way back to it.
func (h *held) Value(key any) any {
	if key == (heldKey{}) {
		return h
	}
	return h.Context.Value(key)
}

type heldKey struct{}

// fenced returns ErrLeaseLost if ctx is that of a holder, or derived from it, and
// the lease is lost.
func fenced(ctx context.Context) error {
	if h, ok := ctx.Value(heldKey{}).(*held); ok {
		_ = h.Err() // looks at the clock
	}
	if ctx.Err() != nil && errors.Is(context.Cause(ctx), ErrLeaseLost) {
		return ErrLeaseLost
	}
	return nil
}
