package bus

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
)

// A Topic gives each value published on it to every subscription. The zero
// Topic works. Its fields are set before its first use and not changed after.
// It is safe for concurrent use and must not be copied.
type Topic[T any] struct {
	// Name says what the log calls the topic.
	Name string

	// Replay is how many of the last values are kept and given first to each
	// new subscription. Default 0: a subscription sees only what is published
	// after it. Values that several goroutines published at the same time may be
	// replayed in another order than a subscription had them in that was there.
	Replay int

	// Logger is told when a subscription falls behind and when it has caught
	// up. Default: what slog.Default returns at that time.
	Logger *slog.Logger

	// OnSlow, if not nil, is told the same as the logger, after it: once when a
	// subscription falls behind and once when it has caught up, by turns. It runs
	// in a publisher's goroutine, under no lock, when every subscription that did
	// not have to wait has the value; it may use the topic and its
	// subscriptions. Of one subscription it is told one thing at a time; of several
	// it may be told at once. What it brings about itself, it is told after it
	// has returned.
	OnSlow func(SlowEvent)

	subs  atomic.Pointer[list[T]] // what publishers walk; nil when empty
	pools pools

	mu      sync.Mutex // guards what follows, and every store to subs; taken before a Subscription's
	closed  bool
	history []T // a ring of the last Replay values once it is full
	oldest  int // the index in history of its oldest value
}

// Publish gives v to every subscription, in the caller's goroutine. It never
// waits, unless a subscription under [Block] is at its limit: then until there
// is room in it or it ends. After [Topic.Close] it does nothing.
//
// Each subscription sees the values of one publisher in the order in which
// they were published. Which subscription has a value first is not defined.
func (t *Topic[T]) Publish(v T) {
	_ = t.PublishContext(context.Background(), v)
}

// PublishContext is [Topic.Publish] with an end to its wait. If ctx ends while
// a subscription under [Block] has no room, that subscription drops v, and
// PublishContext returns ctx.Err(). The others are not affected: even with a ctx
// that has ended already, v reaches all that have room.
func (t *Topic[T]) PublishContext(ctx context.Context, v T) error {
	subs := t.subs.Load()
	if t.Replay > 0 {
		subs = t.record(v)
	}
	for ; subs != nil; subs = subs.next {
		// The reader keeps up: the whole way is written out here, because calls
		// would cost about as much as the rest. There is room, and only a holder
		// of mu sends, so the send does not wait.
		s := subs.s
		s.mu.Lock()
		if s.sent < s.clear || s.look() {
			s.ch <- v
			s.sent++
			s.mu.Unlock()
			continue
		}
		spilled := s.spill(&v)
		s.mu.Unlock()
		if !spilled {
			return publishSlowly(ctx, v, subs)
		}
	}
	return nil
}

// record keeps v for replay and returns the subscriptions that it is for. Both
// happen under one lock, as replaying and joining do in Subscribe: a value is
// in a new subscription's replay, or the subscription is in the value's list,
// never both and never neither.
func (t *Topic[T]) record(v T) *list[T] {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil
	}
	if len(t.history) < t.Replay {
		t.history = append(t.history, v)
	} else {
		t.history[t.oldest] = v
		t.oldest = (t.oldest + 1) % len(t.history)
	}
	return t.subs.Load()
}

// Subscribe returns a subscription to what is published from now on, after
// the replay if the topic has one. It ends when ctx ends (its error is then
// ctx.Err()), when it or the topic is closed, or by its policy. If ctx has
// ended already, the subscription is closed from the start and empty.
//
// On a closed topic the subscription yields the replay and closes.
//
// A replay longer than the subscription's limit is cut to its newest values,
// under every policy; it never fails a subscription, and what is cut is not
// counted as dropped.
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
	s.watch(ctx)
	if closed {
		s.end(ErrClosed, false)
	}
	return s
}

// Chan is Subscribe(ctx, opts...).C(): a channel that closes when ctx ends,
// or with the topic, or by its policy.
func (t *Topic[T]) Chan(ctx context.Context, opts ...Option) <-chan T {
	return t.Subscribe(ctx, opts...).C()
}

// join replays to s and, unless the topic is closed, adds it to the list.
func (t *Topic[T]) join(s *Subscription[T]) (closed bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s.replay(slices.Concat(t.history[t.oldest:], t.history[:t.oldest]))
	if t.closed {
		return true
	}
	t.subs.Store(&list[T]{s, t.subs.Load()})
	return false
}

// leave takes s off the list if it is there.
func (t *Topic[T]) leave(s *Subscription[T]) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.subs.Store(t.subs.Load().without(s))
}

// Active reports whether the topic has subscriptions. It costs one atomic
// load; a publisher can skip the work that makes a value when it is false,
// unless the value is to be replayed.
func (t *Topic[T]) Active() bool {
	return t.subs.Load() != nil
}

// Close ends the topic: every subscription closes with [ErrClosed] after what
// it holds. Close waits for no reader and may be called any number of times.
func (t *Topic[T]) Close() {
	t.mu.Lock()
	t.closed = true
	subs := t.subs.Swap(nil)
	t.mu.Unlock()
	for ; subs != nil; subs = subs.next {
		subs.s.end(ErrClosed, false)
	}
}

// Source returns the topic's subscribing half.
func (t *Topic[T]) Source() Source[T] {
	return Source[T]{topic: t}
}
