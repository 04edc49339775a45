package bus

import (
	"context"
	"errors"
	"runtime"
	"sync"
)

// The errors that [Subscription.Err] returns, besides the error of the
// subscription's context.
var (
	// ErrClosed reports that the subscription or its topic was closed.
	ErrClosed = errors.New("bus: closed")

	// ErrSlowConsumer reports that a value was published while a subscription
	// under [Fail] was at its limit.
	ErrSlowConsumer = errors.New("bus: slow consumer")

	// ErrOption reports that an option's function is for values of another type
	// than the topic's.
	ErrOption = errors.New("bus: option for another type")

	// ErrNoBlock reports that the topic does not allow the policy [Block].
	ErrNoBlock = errors.New("bus: topic does not allow Block")
)

// A Subscription is one reader's channel of a [Topic]. It is safe for
// concurrent use. If several goroutines receive from its channel, each value
// goes to one of them.
type Subscription[T any] struct {
	topic   *Topic[T]
	options options
	funcs   valueFuncs[T]
	callers []uintptr // of Subscribe
	node    *node[T]  // in the topic's list, if it is there; guarded by Topic.mu

	// mu guards the fields below. It is locked after Topic.mu, and no other
	// lock is taken while it is held. Values are sent on ch under mu, except by
	// the pump while sending is true. ch is closed under mu, while it is false.
	mu          sync.Mutex
	state       state // 0 while the reader keeps up: Publish then takes the fast path
	ch          chan T
	sent        uint64 // values sent on ch
	evicted     uint64 // values received from ch to drop them
	clear       uint64 // while sent is below it, Publish skips look
	spare       int    // while a size is at most this, Publish skips look
	sums        []uint // at n%len(sums): size of the first n values sent; nil if all were 0
	backlog     backlog[T]
	sending     bool          // the pump sends the oldest value of the backlog; see settle
	interrupt   chan struct{} // ends the pump's send; without a buffer
	taken       chan struct{} // has a value after the pump's send, until moved has counted it
	dropped     uint64
	high        int
	room        chan struct{} // closes when there may be room; nil while no publisher waits
	transitions []SlowEvent   // to be reported
	notifying   bool          // a publisher is reporting them
	err         error
	stop        func() bool // stops watching the context
}

// look reports whether Publish may take the fast path for a value of that size,
// and sets clear and spare. Until sent reaches clear and sizes use up spare,
// values fit into ch and set no new high-water mark, even if the reader
// receives none. So Publish seldom reads the channel's length, which the reader
// keeps changing. The caller holds mu.
func (s *Subscription[T]) look(size int) bool {
	if s.state != 0 {
		return false
	}
	n := len(s.ch)
	if n >= cap(s.ch) {
		return false
	}
	s.spare = s.options.bytes - s.bytes(n)
	if size > s.spare {
		return false
	}
	s.high = max(s.high, n+1)
	s.clear = s.sent + uint64(min(s.high, cap(s.ch))-n)
	return true
}

// enter adds bits to the state, which disables the fast path.
func (s *Subscription[T]) enter(bits state) {
	s.state |= bits
	s.clear = 0
}

// state is a set of bits. Each of them disables the fast path.
type state uint8

const (
	ended      state = 1 << iota // accepts no more values; err is the reason
	shut                         // ch is closed
	pumping                      // a pump runs: values go through the backlog, to keep order
	slow                         // was at the limit and has not caught up since
	inspecting                   // funcs has a function; never cleared
)

func newSubscription[T any](t *Topic[T], o options) (*Subscription[T], error) {
	funcs, err := newValueFuncs[T](o)
	if t.NoBlock && o.policy == Block {
		err = ErrNoBlock
	}
	s := &Subscription[T]{topic: t, options: o, funcs: funcs, ch: make(chan T, o.capacity())}
	s.backlog.values = newChunkQueue[T](&t.pools.values)
	s.backlog.infos = newChunkQueue[valueInfo](&t.pools.infos)
	if funcs.any() {
		s.enter(inspecting)
	}
	var pcs [8]uintptr
	n := runtime.Callers(2, pcs[:])
	s.callers = pcs[:n]
	return s, err
}

// C returns the subscription's channel, always the same one. It closes when the
// subscription has ended and no value is left to send.
func (s *Subscription[T]) C() <-chan T { return s.ch }

// Err returns nil while the subscription is open, then the reason for its end:
// the error of its context, [ErrClosed], [ErrSlowConsumer], [ErrOption] or
// [ErrNoBlock].
// Later reasons do not replace the first. Err is set before the channel closes,
// possibly while values are still pending.
func (s *Subscription[T]) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Close ends the subscription with [ErrClosed], unless it has ended already.
// When Close returns, the channel is closed. The reader can still receive the
// values in its buffer. All other pending values are dropped. Close may be
// called any number of times, from any goroutine.
func (s *Subscription[T]) Close() { s.end(ErrClosed, true) }

// watch ends the subscription when ctx ends. It starts no goroutine.
func (s *Subscription[T]) watch(ctx context.Context) {
	stop := context.AfterFunc(ctx, func() { s.end(ctx.Err(), true) })
	s.mu.Lock()
	s.stop = stop
	over := s.state&ended != 0
	s.mu.Unlock()
	if over { // before stop was set
		s.finish()
	}
}

// end makes the subscription accept no more values. With discard, the values
// outside the channel are dropped and the channel is closed when end returns.
// Without discard, the pending values are delivered first, by the pump if one
// runs.
func (s *Subscription[T]) end(err error, discard bool) {
	s.mu.Lock()
	s.endLocked(err)
	if discard {
		s.settle()
		s.dropped += uint64(s.backlog.len())
		s.backlog.clear()
	}
	s.mu.Unlock()
	s.finish()
}

// endLocked makes the subscription accept no more values. The caller holds mu,
// and calls finish after releasing it.
func (s *Subscription[T]) endLocked(err error) {
	if s.state&ended == 0 {
		s.enter(ended)
		s.err = err
		s.signalRoom()
	}
}

// finish removes an ended subscription from its topic. If no value is left to
// send, it closes the channel and stops watching the context. Until then the
// end of ctx still drops pending values.
func (s *Subscription[T]) finish() {
	s.topic.leave(s)
	s.mu.Lock()
	var stop func() bool
	if s.backlog.len() == 0 {
		if s.state&shut == 0 {
			s.enter(shut)
			close(s.ch)
		}
		stop, s.stop = s.stop, nil
	}
	s.mu.Unlock()
	if stop != nil {
		stop()
	}
}

// pending returns the number of values that the reader has yet to receive. It
// is one too high if the reader has received the value that the pump sends;
// settle makes it exact.
func (s *Subscription[T]) pending() int { return len(s.ch) + s.backlog.len() }

// bytes returns the sum of the sizes of the pending values that count, n of
// which are in the channel. It is as exact as pending.
func (s *Subscription[T]) bytes(n int) int {
	if s.sums == nil {
		return s.backlog.bytes
	}
	ring := uint64(len(s.sums))
	return int(s.sums[s.sent%ring]-s.sums[(s.sent-uint64(n))%ring]) + s.backlog.bytes
}
