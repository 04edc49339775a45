package chatnats

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/seed67206a74/parley/events"
)

// DefaultLease is how long a lease lasts without being renewed.
const DefaultLease = 6 * time.Second

// ErrLeaseLost is the cause of a holder's ctx when its lease has ended.
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

// RunWithLease competes for the lease of a chat, and calls hold when it has it.
// The ctx of hold ends when that of RunWithLease does, or with [ErrLeaseLost]
// when the lease cannot be renewed. hold must then return at once: for a quarter
// of the TTL no other instance has the lease. After a lost lease RunWithLease
// competes again. When hold returns by itself, RunWithLease releases the lease
// and returns the error of hold. It returns nil when ctx has ended.
//
// One lease can stand for many chats: the id that is given names it, and is
// Remote.Lease.
//
// The ctx's Err compares clocks when it is called. A process that was stopped
// and goes on after its time gets the error at once, before any timer has fired.
//
// Each tenure has a revision, greater than those before it. [Forward] and
// [Serve] take it from the ctx of hold.
func RunWithLease(ctx context.Context, b *Bus, chat events.ID, cfg LeaseConfig, hold func(ctx context.Context) error) error {
	setDefault(&cfg.TTL, DefaultLease)
	setDefault(&cfg.ID, rand.Text())
	if cfg.TTL < time.Second {
		return errors.New("chatnats: LeaseConfig.TTL is below a second")
	}
	token := tokenOf(chat)
	l := &lease{bus: b, cfg: cfg, token: token, key: leaseKey(token)}
	for {
		err := b.persist(ctx, "lease", l.acquire)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		err = l.begin(ctx)
		if err == nil {
			err = l.held(ctx, hold)
		}
		if !errors.Is(err, ErrLeaseLost) {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		b.log.Warn("chatnats: the lease is lost", "chat", chat.String())
	}
}

// Holder returns the ID of the instance that holds the lease of a chat, or "".
// The bucket does not know yet when a holder has died within the last TTL.
func Holder(ctx context.Context, b *Bus, chat events.ID) (string, error) {
	entry, err := b.kv.Get(ctx, leaseKey(tokenOf(chat)))
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	var v leaseValue
	err = json.Unmarshal(entry.Value(), &v)
	return v.ID, err
}

// A leaseValue is the value of a lease's key.
type leaseValue struct {
	ID       string `json:"id"`
	Revision uint64 `json:"revision,omitzero"` // of the tenure; 0 before it has begun
}

// A lease is a key that only one can write: each write names the revision that
// it replaces. Nothing depends on the clocks of servers, or on what two clocks say:
// the holder and those who wait each measure a time that has passed, and the
// holder's begins earlier and ends sooner.
type lease struct {
	bus   *Bus
	cfg   LeaseConfig
	token string // of the id
	key   string

	revision uint64    // of the key
	asked    time.Time // when the renewal was asked for that revision stands for
	tenure   uint64    // the first revision of this tenure

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

// try takes the lease if it is free, or if its holder has not renewed it for
// the TTL.
func (l *lease) try(ctx context.Context) (won bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, l.cfg.TTL/2)
	defer cancel()
	asked := time.Now()
	// Any server answers: one that is stopped must not cost the whole time.
	getting, stop := context.WithTimeout(ctx, l.cfg.TTL/4)
	entry, err := l.bus.kv.Get(getting, l.key)
	stop()
	var revision uint64
	switch {
	case errors.Is(err, jetstream.ErrKeyNotFound):
		revision, err = l.bus.kv.Create(ctx, l.key, l.value(0))
	case err != nil:
		return false, err
	case entry.Revision() != l.seen:
		l.seen, l.since = entry.Revision(), time.Now()
		return false, nil
	case time.Since(l.since) < l.cfg.TTL:
		return false, nil
	default:
		revision, err = l.bus.kv.Update(ctx, l.key, l.value(0), entry.Revision())
	}
	if conflict(err) {
		return false, nil // another contender was faster
	}
	if err != nil {
		return false, err
	}
	l.revision, l.asked, l.tenure = revision, asked, revision
	return true, nil
}

func (l *lease) value(tenure uint64) []byte {
	value, _ := json.Marshal(leaseValue{l.cfg.ID, tenure}) // a string and a number: it cannot fail
	return value
}

// begin begins the tenure: in the stream, so that readers know of it, and in
// the key, so that a Remote finds it. The error is ErrLeaseLost: if it does not
// succeed in time, there is no tenure.
func (l *lease) begin(ctx context.Context) error {
	beginning, cancel := context.WithDeadline(ctx, l.until())
	defer cancel()
	err := l.bus.begin(beginning, l.token, l.tenure)
	if err == nil {
		asked := time.Now()
		var revision uint64
		if revision, err = l.bus.kv.Update(beginning, l.key, l.value(l.tenure), l.revision); err == nil {
			l.revision, l.asked = revision, asked
			return nil
		}
	}
	l.bus.log.Warn("chatnats: a tenure cannot begin", "lease", l.token, "error", err)
	l.release(ctx)
	return ErrLeaseLost
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
	h.token, h.tenure = l.token, l.tenure
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
	revision, err := l.bus.kv.Update(ctx, l.key, l.value(l.tenure), l.revision)
	switch {
	case err == nil:
		l.revision, l.asked = revision, asked
		h.extend(l.until())
	case conflict(err):
		entry, err := l.bus.kv.Get(ctx, l.key)
		if err != nil {
			return // there is another try
		}
		if !bytes.Equal(entry.Value(), l.value(l.tenure)) {
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
	token  string // of the lease
	tenure uint64

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

// Err is nil as long as the lease lasts. It does not wait for a timer to say that
// it is over.
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

// Value lets heldBy find the ctx from one that is derived from it.
func (h *held) Value(key any) any {
	if key == (heldKey{}) {
		return h
	}
	return h.Context.Value(key)
}

type heldKey struct{}

// heldBy returns the ctx of a holder that ctx is, or is derived from.
func heldBy(ctx context.Context) (*held, bool) {
	h, ok := ctx.Value(heldKey{}).(*held)
	return h, ok
}

// fenced returns ErrLeaseLost if ctx is that of a holder, or derived from it, and
// the lease is lost or its time is over.
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

func leaseKey(token string) string { return "leases." + token }
