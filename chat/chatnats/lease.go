package chatnats

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"math"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/seed67206a74/parley/events"
)

// DefaultLease is how long a lease lasts without being renewed.
const DefaultLease = 6 * time.Second

// ErrLeaseLost is the cause of a holder's ctx when its lease has ended.
var ErrLeaseLost = errors.New("chatnats: the lease is lost")

// LeaseConfig is the configuration of [RunWithLease]. Its zero value is ready
// to use. All instances that compete for a lease must use the same TTL.
type LeaseConfig struct {
	// TTL is how long a lease lasts without a renewal: a second or more. A
	// holder renews it every quarter of the TTL. It stops three quarters of the
	// TTL after the request of its last successful renewal. Another instance
	// takes over when it has seen no renewal for the whole TTL. Default:
	// DefaultLease.
	TTL time.Duration

	// Max limits how many leases the Bus of this instance holds at a time. All
	// leases of a Bus must use the same Max. Default: 0, no limit.
	Max int

	// ID identifies this instance; [Holder] returns it. Default: a random one.
	ID string
}

// RunWithLease competes for the lease of a chat, and calls hold when it has the
// lease. The ctx of hold ends with that of RunWithLease, or with the cause
// [ErrLeaseLost] when the lease cannot be renewed. hold must then return
// immediately: a quarter of the TTL later, another instance may have the lease.
// After a lost lease RunWithLease competes again. When hold returns by itself,
// RunWithLease releases the lease and returns the error of hold. It returns nil
// when ctx has ended.
//
// The instances that compete for the same leases share them evenly. An instance
// is a Bus. If it holds more than its share, the ctx of a hold ends with the
// cause [ErrLeaseMoved]. When hold returns, another instance takes the lease,
// and RunWithLease competes again. A lease moves only after an instance has
// started, stopped or failed.
//
// One lease can cover many chats: chat then only names the lease, and is the
// value of Remote.Lease.
//
// The Err method of the ctx of hold compares the time at each call. After a
// process was stopped for too long, Err returns an error immediately, even
// before a timer has fired.
//
// Each tenure has a revision, which is greater than all earlier ones. [Forward]
// and [Serve] take it from the ctx of hold.
func RunWithLease(ctx context.Context, b *Bus, chat events.ID, cfg LeaseConfig, hold func(ctx context.Context) error) error {
	setDefault(&cfg.TTL, DefaultLease)
	setDefault(&cfg.ID, rand.Text())
	if cfg.TTL < time.Second {
		return errors.New("chatnats: LeaseConfig.TTL is below a second")
	}
	token := tokenOf(chat)
	l := &lease{bus: b, cfg: cfg, token: token, key: leaseKey(token)}
	b.balancer.add(l)
	defer b.balancer.remove(l)
	for {
		err := b.persist(ctx, "lease", l.acquire)
		if ctx.Err() != nil {
			if l.tenure != 0 {
				b.count.leases.Add(-1)
				l.release(ctx, releasedFree)
			}
			return nil
		}
		if err != nil {
			return err
		}
		err = l.begin(ctx)
		if err == nil {
			err = l.keep(ctx, hold)
		}
		b.count.leases.Add(-1)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, ErrLeaseLost):
			b.count.leasesLost.Add(1)
			b.log.Warn("chatnats: the lease is lost", "chat", chat.String())
		case errors.Is(err, ErrLeaseMoved):
			b.count.leasesMoved.Add(1)
			b.log.Info("chatnats: the lease moves to another instance", "chat", chat.String())
		default:
			return err
		}
	}
}

// Holder returns the ID of the instance that holds the lease of a chat, or "".
// It may return the ID of a holder that failed within the last TTL.
func Holder(ctx context.Context, b *Bus, chat events.ID) (string, error) {
	bucket, err := b.bucket(ctx, false)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	entry, err := bucket.Get(ctx, leaseKey(tokenOf(chat)))
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
	Revision uint64 `json:"revision,omitzero"` // of the tenure; 0 before its start
}

// A lease is a key in the bucket. Only one instance can write it, because each
// write names the revision that it replaces. No two clocks are compared: the
// holder and its rivals each measure a duration, and that of the holder starts
// earlier and ends sooner.
type lease struct {
	bus    *Bus
	bucket *bucket
	cfg    LeaseConfig
	token  string // of the id
	key    string

	revision uint64    // of the key
	asked    time.Time // when the write of revision was requested
	tenure   uint64    // the first revision of this tenure; 0 before it
	begun    time.Time // when the tenure was recorded in the stream

	seen  uint64    // the key's sequence when it was last looked at
	first time.Time // when it was first seen; zero if there was no look
	again time.Time // when to look again, unless the key changes

	// Of the balancer, which locks them.
	holder *tenureCtx // nil while this instance does not hold the lease
	since  time.Time  // when holder was set
}

// acquire waits for the lease.
func (l *lease) acquire(ctx context.Context) (err error) {
	if l.bucket, err = l.bus.bucket(ctx, true); err != nil {
		return err
	}
	l.first, l.tenure = time.Time{}, 0
	changed, remove := l.bus.leases.add(l.bucket, l.key)
	defer remove()
	for {
		won, err := l.try(ctx)
		if won || err != nil {
			return err
		}
		if err := l.wait(ctx, changed); err != nil {
			return err
		}
	}
}

// wait returns when the lease may be free.
func (l *lease) wait(ctx context.Context, changed <-chan leaseChange) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		timer.Reset(max(time.Until(l.again), firstPause))
		select {
		case change := <-changed:
			if change.removed {
				return nil
			}
			if change.sequence != l.seen {
				l.seen, l.first = change.sequence, time.Now()
				l.again = l.first.Add(l.cfg.TTL)
			}
		case <-timer.C:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// try acquires the lease if it is free, or if its holder has not renewed it for
// the TTL.
func (l *lease) try(ctx context.Context) (won bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, l.cfg.TTL/2)
	defer cancel()
	asked := time.Now()
	// Any server may reply: a stopped one must not use up the whole time.
	looking, stop := context.WithTimeout(ctx, l.cfg.TTL/4)
	sequence, state, err := l.look(looking)
	stop()
	if err != nil {
		return false, err
	}
	if l.first.IsZero() || sequence != l.seen {
		l.seen, l.first = sequence, time.Now()
	}
	silent, limit := time.Since(l.first), cmp.Or(l.cfg.Max, math.MaxInt)
	l.again = time.Now().Add(l.cfg.TTL)
	switch {
	case state == leaseHeld && silent < l.cfg.TTL:
		l.again = l.first.Add(l.cfg.TTL)
		return false, nil
	case state == releasedMoved && silent < l.cfg.TTL/4: // instances below their share take it
		l.again = l.first.Add(l.cfg.TTL / 4)
		limit = min(limit, l.bus.balancer.limit())
	}
	if !l.bus.count.reserve(limit) {
		return false, nil
	}
	defer func() {
		if !won {
			l.bus.count.leases.Add(-1)
		}
	}()
	revision, err := l.bucket.Update(ctx, l.key, l.value(0), sequence)
	if conflict(err) { // another contender was faster
		l.again = time.Time{}
		return false, nil
	}
	if err != nil {
		return false, err
	}
	l.revision, l.asked, l.tenure = revision, asked, revision
	return true, nil
}

// headerReleased is set in the delete marker that a holder leaves. Its value is
// the state of the lease.
const headerReleased = "Parley-Released"

// The states of a lease.
const (
	leaseHeld     = ""      // it has a holder, or its holder has failed
	releasedFree  = "true"  // its holder has released it, or it has had none
	releasedMoved = "moved" // its holder has released it for another instance
)

// look returns the sequence of the key, and the state of the lease. If an
// operator has removed the key, a holder may not have noticed. The key of a
// lease that was never held is missing too; then the stream has no tenure.
func (l *lease) look(ctx context.Context) (sequence uint64, state string, err error) {
	msg, err := l.bucket.stream.GetLastMsgForSubject(ctx, "$KV."+l.bus.prefix+"."+l.key)
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound):
		tenure, _, err := l.bus.lastTenure(ctx, l.token)
		if err != nil || tenure != 0 {
			return 0, leaseHeld, err
		}
		dropped, err := l.mayBeDropped(ctx)
		if err != nil || dropped {
			return 0, leaseHeld, err
		}
		return 0, releasedFree, nil
	case err != nil:
		return 0, "", err
	}
	return msg.Sequence, msg.Header.Get(headerReleased), nil
}

func (l *lease) value(tenure uint64) []byte {
	value, _ := json.Marshal(leaseValue{l.cfg.ID, tenure}) // a string and a number: it cannot fail
	return value
}

// begin records the tenure in the stream, for readers, and in the key, for a
// Remote. If that does not succeed in time, there is no tenure, and begin
// returns ErrLeaseLost.
func (l *lease) begin(ctx context.Context) error {
	beginning, cancel := context.WithDeadline(ctx, l.until())
	defer cancel()
	err := l.bus.begin(beginning, l.token, l.tenure)
	if err == nil {
		asked := time.Now()
		var revision uint64
		if revision, err = l.bucket.Update(beginning, l.key, l.value(l.tenure), l.revision); err == nil {
			l.revision, l.asked, l.begun = revision, asked, asked
			return nil
		}
	}
	l.bus.log.Warn("chatnats: a tenure cannot begin", "lease", l.token, "error", err)
	l.release(ctx, releasedFree)
	return ErrLeaseLost
}

// conflict reports whether a write failed because the key has another revision.
func conflict(err error) bool {
	var failed *jetstream.APIError
	return errors.Is(err, jetstream.ErrKeyExists) ||
		errors.As(err, &failed) && failed.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence
}

// keep runs hold while the lease lasts.
func (l *lease) keep(ctx context.Context, hold func(ctx context.Context) error) error {
	h := newTenureCtx(ctx, l.until())
	h.token, h.tenure = l.token, l.tenure
	defer h.end(nil)
	l.bus.balancer.hold(l, h)
	defer l.bus.balancer.hold(l, nil)
	done := make(chan error, 1)
	go func() { done <- hold(h) }() // ends soon after h
	tick := time.NewTicker(l.cfg.TTL / 4)
	defer tick.Stop()
	for {
		select {
		case err := <-done:
			return l.ended(ctx, h, err)
		case <-h.Done():
			return l.ended(ctx, h, <-done)
		case <-tick.C:
			l.renew(h)
		}
	}
}

// ended releases the lease after hold has returned err.
func (l *lease) ended(ctx context.Context, h *tenureCtx, err error) error {
	switch {
	case fenced(h) != nil:
		return ErrLeaseLost
	case errors.Is(context.Cause(h), ErrLeaseMoved):
		l.release(ctx, releasedMoved)
		return ErrLeaseMoved
	}
	l.release(ctx, releasedFree)
	return err
}

// until returns when the holder stops, unless the lease is renewed.
func (l *lease) until() time.Time { return l.asked.Add(l.cfg.TTL * 3 / 4) }

// renew writes the key again. A write may have succeeded although an error was
// returned; the next one then conflicts, and renew reads the revision.
func (l *lease) renew(h *tenureCtx) {
	ctx, cancel := context.WithDeadline(h, l.until())
	defer cancel()
	asked := time.Now()
	revision, err := l.bucket.Update(ctx, l.key, l.value(l.tenure), l.revision)
	switch {
	case err == nil:
		l.revision, l.asked = revision, asked
		h.extend(l.until())
		l.record(ctx)
	case conflict(err):
		entry, err := l.bucket.Get(ctx, l.key)
		if err != nil {
			return // the next tick tries again
		}
		if !bytes.Equal(entry.Value(), l.value(l.tenure)) {
			h.end(ErrLeaseLost)
			return
		}
		l.revision = entry.Revision()
	}
}

// release writes a delete marker with the state, unless another instance has
// written the key.
func (l *lease) release(ctx context.Context, state string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), longPause)
	defer cancel()
	msg := nats.NewMsg(l.bus.kvSubject(l.key))
	msg.Header.Set("KV-Operation", "DEL")
	msg.Header.Set(headerReleased, state)
	// On failure, it expires.
	_, _ = l.bus.js.PublishMsg(ctx, msg, jetstream.WithExpectLastSequencePerSubject(l.revision))
}

func leaseKey(token string) string { return "leases." + token }
