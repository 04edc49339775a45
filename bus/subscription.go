package bus

import (
	"context"
	"runtime"
	"sync"
)

// A Subscription is one reader's place on a [Topic]. It is safe for
// concurrent use; several goroutines may receive from its channel, and each
// value then goes to one of them.
type Subscription[T any] struct {
	topic   *Topic[T]
	options options
	funcs   valueFuncs[T]
	callers []uintptr // who subscribed, when there is no name

	// mu guards what follows. It is taken after Topic.mu, and no other lock is
	// taken while it is held. Values are sent on ch, and ch is closed, under mu
	// only. The one exception is the value that the pump has in hand: it is
	// sent outside mu, and for as long ch stays open.
	mu          sync.Mutex
	state       state // 0 while the reader keeps up: Publish then takes the short way
	ch          chan T
	capacity    int    // of ch
	sent        uint64 // values put into ch and not taken back
	clear       uint64 // while sent is below it, Publish need not look: see look
	dropped     uint64
	high        int
	overflow    chunkQueue[T] // what did not fit into ch
	sizes       sizeQueue     // in use if judge has a size
	conflation  conflation[T] // in use if judge has a key
	inFlight    bool          // the pump holds one value, older than any in overflow
	wake        chan struct{} // calls the pump back from its send
	handover    uint64        // how often the pump has come back
	counted     Stats         // at the last handover
	settled     sync.Cond     // signals a handover; its lock is mu
	substitute  *marked[T]    // for the value in the pump's hand, or behind all others if that was taken
	room        chan struct{} // closes when there may be room; nil while nobody waits
	transitions []transition  // still to be told
	telling     bool          // somebody tells them
	err         error
	stop        func() bool // stops watching the context
}

// look finds out whether the short way is clear, and how far: until sent
// reaches clear, values fit into ch and are no new high-water mark, however
// little the reader takes meanwhile. So publishing has to look at the channel,
// which the reader keeps changing, only now and then. The caller holds mu.
func (s *Subscription[T]) look() bool {
	if s.state != 0 {
		return false
	}
	n := len(s.ch)
	if n >= s.capacity {
		return false
	}
	s.high = max(s.high, n+1)
	s.clear = s.sent + uint64(min(s.high, s.capacity)-n)
	return true
}

// enter adds to the state, which bars the short way.
func (s *Subscription[T]) enter(bits state) {
	s.state |= bits
	s.clear = 0
}

// state says what keeps a subscription off the short way, as a set of bits.
type state uint8

const (
	ended     state = 1 << iota // takes no more values; err says why
	discarded                   // what was not in ch has been dropped
	shut                        // ch is closed
	pumping                     // a pump runs: values go through overflow, to keep order
	slow                        // was at the limit and has not caught up since
	judging                     // for good: has functions to apply to each value
)

func newSubscription[T any](t *Topic[T], o options) (*Subscription[T], error) {
	j, err := newValueFuncs[T](o)
	s := &Subscription[T]{topic: t, options: o, funcs: j, ch: make(chan T, o.capacity()), capacity: o.capacity()}
	s.overflow = newChunkQueue[T](&t.pools.values)
	s.sizes.infos = newChunkQueue[valueInfo](&t.pools.marks)
	s.conflation.keys = newChunkQueue[any](&t.pools.keys)
	if j.any() {
		s.enter(judging)
	}
	s.settled.L = &s.mu
	if o.name == "" {
		var pcs [8]uintptr
		n := runtime.Callers(2, pcs[:])
		s.callers = pcs[:n]
	}
	return s, err
}

// C returns the channel that the values come on. It is always the same one. It
// is closed once, when the subscription has ended and nothing is left to send.
func (s *Subscription[T]) C() <-chan T { return s.ch }

// Err returns nil while the subscription is open, then why it ended: the error
// of its context, [ErrClosed] or [ErrSlowConsumer]. The first reason stays. It
// is set before the channel closes, possibly while values are still to be
// read.
func (s *Subscription[T]) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Close ends the subscription with [ErrClosed], unless it has ended already.
// When Close returns, the channel is closed; the reader can still take what
// was in its buffer, and whatever else waited is dropped. Close may be called
// any number of times, from anywhere.
func (s *Subscription[T]) Close() { s.end(ErrClosed, true) }

// watch ties the subscription to ctx. No goroutine waits for that.
func (s *Subscription[T]) watch(ctx context.Context) {
	stop := context.AfterFunc(ctx, func() { s.end(ctx.Err(), true) })
	s.mu.Lock()
	s.stop = stop
	s.mu.Unlock()
	s.unwatch() // it may have ended before there was anything to stop
}

// unwatch lets go of the context once the channel is closed. Until then ctx
// can still cut short the delivery of what is left.
func (s *Subscription[T]) unwatch() {
	s.mu.Lock()
	var stop func() bool
	if s.state&shut != 0 {
		stop, s.stop = s.stop, nil
	}
	s.mu.Unlock()
	if stop != nil {
		stop()
	}
}

// end makes the subscription take no more values. With discard the channel is
// closed when end returns, and what was not in its buffer is dropped; without,
// all that waits is delivered first, by the pump if one runs.
func (s *Subscription[T]) end(err error, discard bool) {
	s.mu.Lock()
	s.endLocked(err)
	if discard && s.state&shut == 0 {
		s.enter(discarded)
		s.dropped += uint64(s.overflow.size)
		s.sizes.truncate(max(0, s.sizes.infos.size-s.overflow.size))
		s.unqueueAll()
		// The pump may be about to send the value in its hand. Waiting for it to
		// come back, which it does at once, makes sure that nothing is sent
		// after end returned.
		s.settle()
		s.shutLocked()
	}
	s.mu.Unlock()
	s.topic.leave(s)
	s.unwatch()
}

func (s *Subscription[T]) endLocked(err error) {
	if s.state&ended != 0 {
		return
	}
	s.enter(ended)
	s.err = err
	s.signalRoom()
	if s.state&pumping == 0 {
		s.shutLocked()
	}
}

// shutLocked closes the channel, once.
func (s *Subscription[T]) shutLocked() {
	if s.state&shut == 0 {
		s.enter(shut)
		close(s.ch)
	}
}

// pending returns how many values wait for the reader. It may be one too many
// while the pump has a value in hand, because the pump has yet to say that it
// was taken; settle makes it exact.
func (s *Subscription[T]) pending() int {
	return min(len(s.ch)+s.held(), s.options.limit)
}

// bytes returns the sum of the sizes of what waits, as exact as pending.
func (s *Subscription[T]) bytes() int {
	s.sizes.cut(len(s.ch) + s.held())
	return s.sizes.bytes
}

// full reports whether n values that wait leave no room for one more.
func (s *Subscription[T]) full(n int, m valueInfo) bool {
	return n >= s.options.limit || n > 0 && s.overweight(m)
}

// overweight reports whether one more value is too large for what waits.
func (s *Subscription[T]) overweight(m valueInfo) bool {
	return s.funcs.size != nil && m.size > s.options.bytes-s.bytes()
}

// held returns how many values wait outside the channel.
func (s *Subscription[T]) held() int {
	if s.inFlight {
		return s.overflow.size + 1
	}
	return s.overflow.size
}
