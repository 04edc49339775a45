package bus

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
)

// A Topic delivers each value published on it to every subscription. The zero
// Topic is ready to use. Its fields must be set before its first use and not
// changed after. It is safe for concurrent use and must not be copied.
type Topic[T any] struct {
	// Name is the topic's name in the log.
	Name string

	// Replay is the number of last values that the topic keeps and delivers
	// first to each new subscription. Default 0: a subscription receives only
	// later values. Values that several goroutines published at the same time
	// may be replayed in another order than existing subscriptions received
	// them in.
	Replay int

	// Logger logs when a subscription becomes slow and when it has caught up.
	// Default: the result of slog.Default at that time.
	Logger *slog.Logger

	// OnSlow, if not nil, is called after each of these log entries: once when
	// a subscription becomes slow and once when it has caught up, alternately.
	// It runs in a publisher's goroutine, under no lock, after every
	// subscription with room has the value. It may use the topic and its
	// subscriptions. Calls for one subscription do not overlap; calls for
	// several may. Changes caused by OnSlow are reported after it returns.
	OnSlow func(SlowEvent)

	// OnActive, if not nil, is called after a subscription was added, before
	// Subscribe returns, and after the last one was removed. It runs under no
	// lock, and calls may overlap: [Topic.Active] reports the current state.
	// The owner of the topic can start and stop its source of values there.
	OnActive func()

	// NoBlock refuses subscriptions under [Block], with [ErrNoBlock]. It is for
	// topics whose publisher must not wait.
	NoBlock bool

	subs  atomic.Pointer[node[T]] // the newest subscription; nil when there is none
	pools pools

	// mu guards the fields below and every store to subs. It is locked before
	// Subscription.mu.
	mu      sync.Mutex
	closed  bool
	history []sized[T] // a ring of the last Replay values once it is full
	version uint64     // counts the values of history
	oldest  int        // the index in history of its oldest value
}

// Publish delivers v to every subscription, in the caller's goroutine. It
// blocks only while a subscription under [Block] is at its limit, until that
// has room or ends. After [Topic.Close] it does nothing.
//
// Each subscription receives the values of one publisher in the order in which
// they were published. The order of subscriptions is not defined.
func (t *Topic[T]) Publish(v T) {
	_ = t.PublishContext(context.Background(), v)
}

// PublishContext is like [Topic.Publish], but ctx bounds its wait. If ctx ends
// while a subscription under [Block] has no room, that subscription drops v,
// and PublishContext returns ctx.Err(). The others are not affected: even if
// ctx has ended already, v reaches all subscriptions that have room.
//
// After an error the other subscriptions have v. To deliver it to each exactly
// once, do not publish it again: pass a ctx that does not end before the
// readers make room.
func (t *Topic[T]) PublishContext(ctx context.Context, v T) error {
	return t.PublishSized(ctx, v, 0)
}

// PublishSized is like [Topic.PublishContext], for a value that keeps size
// bytes of memory. Each subscription limits the sum of the sizes of its pending
// values: see [LimitBytes].
func (t *Topic[T]) PublishSized(ctx context.Context, v T, size int) error {
	size = max(size, 0)
	subs := t.subs.Load()
	if t.Replay > 0 {
		subs = t.record(v, size)
	}
	for ; subs != nil; subs = subs.next.Load() {
		// The fast path is written out here because calls would cost about as
		// much as the rest. There is room, and only the holder of mu sends, so
		// the send does not block.
		s := subs.s
		s.mu.Lock()
		if s.sent < s.clear && size <= s.spare || s.look(size) {
			s.ch <- v
			if size == 0 && s.sums == nil {
				s.sent++
			} else {
				s.countSent(size)
			}
			s.mu.Unlock()
			continue
		}
		spilled := s.spill(&v, size)
		s.mu.Unlock()
		if !spilled {
			return publishSlowly(ctx, v, size, subs)
		}
	}
	return nil
}

// A sized is a value for replay.
type sized[T any] struct {
	value T
	size  int
}

// record keeps v for replay and returns the subscriptions to deliver it to.
// Both happen under one lock, as do the replay and the insertion in join. So a
// new subscription gets each value exactly once, replayed or published.
func (t *Topic[T]) record(v T, size int) *node[T] {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil
	}
	t.version++
	if len(t.history) < t.Replay {
		t.history = append(t.history, sized[T]{v, size})
	} else {
		t.history[t.oldest] = sized[T]{v, size}
		t.oldest = (t.oldest + 1) % len(t.history)
	}
	return t.subs.Load()
}

// Subscribe returns a subscription to the values published from now on, after
// the replay if the topic has one. It ends when ctx ends (its error is then
// ctx.Err()), when it or the topic is closed, or by its policy. If ctx has
// ended already, the subscription is closed from the start and empty.
//
// On a closed topic the subscription delivers the replay and closes.
//
// The replay is subject to the subscription's limits, under every policy as
// under [DropOldest]: only its newest values are delivered. It does not fail
// the subscription, and the values left out are not counted as dropped.
func (t *Topic[T]) Subscribe(ctx context.Context, opts ...Option) *Subscription[T] {
	s, err := newSubscription(t, newOptions(opts))
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		s.end(err, true)
		return s
	}
	closed := t.join(s)
	if t.OnActive != nil && !closed {
		t.OnActive()
	}
	s.watch(ctx)
	if closed {
		s.end(ErrClosed, false)
	}
	return s
}

// Chan returns Subscribe(ctx, opts...).C(). The channel closes when ctx ends,
// when the topic closes, or by the policy.
func (t *Topic[T]) Chan(ctx context.Context, opts ...Option) <-chan T {
	return t.Subscribe(ctx, opts...).C()
}

// join replays to s and, unless the topic is closed, adds it to the list. It
// selects the values under no lock, because the functions of s are the user's,
// and begins again if a value was published meanwhile.
func (t *Topic[T]) join(s *Subscription[T]) (closed bool) {
	for {
		t.mu.Lock()
		history, version := slices.Concat(t.history[t.oldest:], t.history[:t.oldest]), t.version
		t.mu.Unlock()
		values, infos := s.inspectAll(history)
		t.mu.Lock()
		if t.version == version {
			s.replay(values, infos)
			if !t.closed {
				t.add(s)
			}
			closed = t.closed
			t.mu.Unlock()
			return closed
		}
		t.mu.Unlock()
	}
}

// Active reports whether the topic has subscriptions. It costs one atomic load.
// A publisher can skip making a value when it is false, unless the topic
// replays.
func (t *Topic[T]) Active() bool {
	return t.subs.Load() != nil
}

// Close ends the topic: every subscription ends with [ErrClosed] after
// delivering its pending values. Close does not wait for readers and may be
// called any number of times.
func (t *Topic[T]) Close() {
	t.mu.Lock()
	t.closed = true
	subs := t.subs.Swap(nil)
	for n := subs; n != nil; n = n.next.Load() {
		n.s.node = nil
	}
	t.mu.Unlock()
	for ; subs != nil; subs = subs.next.Load() {
		subs.s.end(ErrClosed, false)
	}
}

// Source returns the topic's subscribing half.
func (t *Topic[T]) Source() Source[T] {
	return Source[T]{topic: t}
}
