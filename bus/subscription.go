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
)

// A Subscription is one reader's channel of a [Topic]. It is safe for
// concurrent use. If several goroutines receive from its channel, each value
// goes to one of them.
type Subscription[T any] struct {
	topic   *Topic[T]
	options options
	funcs   valueFuncs[T]
	callers []uintptr // of Subscribe, if there is no name

	// mu guards the fields below. It is locked after Topic.mu, and no other
	// lock is taken while it is held. Sends on ch and its close happen under
	// mu. The one exception is the value in flight: the pump sends it outside
	// mu, and ch stays open meanwhile.
	mu          sync.Mutex
	state       state // 0 while the reader keeps up: Publish then takes the fast path
	ch          chan T
	capacity    int    // of ch
	sent        uint64 // values sent on ch, less the values that evict received
	clear       uint64 // while sent is below it, Publish skips look
	dropped     uint64
	high        int
	overflow    chunkQueue[T]  // the values that do not fit into ch
	sizes       sizeQueue      // in use if funcs has a size
	conflation  conflation[T]  // in use if funcs has a key
	inFlight    bool           // the pump is sending a value, older than any in overflow
	wake        chan struct{}  // interrupts the pump's send
	sends       uint64         // ended sends of the pump, interrupted ones included
	counted     Stats          // when the last of them ended
	settled     sync.Cond      // signals that one has ended; its lock is mu
	substitute  *substitute[T] // for the value in flight
	room        chan struct{}  // closes when there may be room; nil while no publisher waits
	transitions []transition   // to be reported
	notifying   bool           // a publisher is reporting them
	err         error
	stop        func() bool // stops watching the context
}

// look reports whether Publish may take the fast path, and sets clear. Until
// sent reaches clear, values fit into ch and set no new high-water mark, even
// if the reader receives none. So Publish seldom reads the channel's length,
// which the reader keeps changing. The caller holds mu.
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

// enter adds bits to the state, which disables the fast path.
func (s *Subscription[T]) enter(bits state) {
	s.state |= bits
	s.clear = 0
}

// state is a set of bits. Each of them disables the fast path.
type state uint8

const (
	ended      state = 1 << iota // accepts no more values; err is the reason
	discarded                    // the values outside ch have been dropped
	shut                         // ch is closed
	pumping                      // a pump runs: values go through overflow, to keep order
	slow                         // was at the limit and has not caught up since
	inspecting                   // funcs has a function; never cleared
)

func newSubscription[T any](t *Topic[T], o options) (*Subscription[T], error) {
	funcs, err := newValueFuncs[T](o)
	s := &Subscription[T]{topic: t, options: o, funcs: funcs, ch: make(chan T, o.capacity()), capacity: o.capacity()}
	s.overflow = newChunkQueue[T](&t.pools.values)
	s.sizes.infos = newChunkQueue[valueInfo](&t.pools.infos)
	s.conflation.keys = newChunkQueue[any](&t.pools.keys)
	if funcs.any() {
		s.enter(inspecting)
	}
	s.settled.L = &s.mu
	if o.name == "" {
		var pcs [8]uintptr
		n := runtime.Callers(2, pcs[:])
		s.callers = pcs[:n]
	}
	return s, err
}

// C returns the subscription's channel, always the same one. It closes when the
// subscription has ended and no value is left to send.
func (s *Subscription[T]) C() <-chan T { return s.ch }

// Err returns nil while the subscription is open, then the reason for its end:
// the error of its context, [ErrClosed], [ErrSlowConsumer] or [ErrOption].
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
	s.mu.Unlock()
	s.unwatch() // it may have ended before stop was set
}

// unwatch stops watching the context after the channel has closed. Until then
// the end of ctx still drops pending values.
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

// end makes the subscription accept no more values. With discard, the values
// outside the channel are dropped and the channel is closed when end returns.
// Without discard, the pending values are delivered first, by the pump if one
// runs.
func (s *Subscription[T]) end(err error, discard bool) {
	s.mu.Lock()
	s.endLocked(err)
	if discard && s.state&shut == 0 {
		s.enter(discarded)
		s.dropped += uint64(s.overflow.size)
		s.sizes.truncate(max(0, s.sizes.infos.size-s.overflow.size))
		s.unqueueAll()
		// The pump may be about to send. Waiting for the send to end, which it
		// does at once, ensures that nothing is sent after end has returned.
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

// pending returns the number of values that the reader has yet to receive. It
// may be one too high while a value is in flight: the reader may have taken
// that value, and the pump has yet to notice. settle makes it exact.
func (s *Subscription[T]) pending() int {
	return min(len(s.ch)+s.held(), s.options.limit)
}

// bytes returns the sum of the sizes of the pending values, as exact as
// pending.
func (s *Subscription[T]) bytes() int {
	s.sizes.cut(len(s.ch) + s.held())
	return s.sizes.bytes
}

// full reports whether n pending values leave no room for one more.
func (s *Subscription[T]) full(n int, info valueInfo) bool {
	return n >= s.options.limit || n > 0 && s.exceedsBytes(info)
}

// exceedsBytes reports whether one more value exceeds the limit on sizes.
func (s *Subscription[T]) exceedsBytes(info valueInfo) bool {
	return s.funcs.size != nil && info.size > s.options.bytes-s.bytes()
}

// held returns the number of pending values outside the channel.
func (s *Subscription[T]) held() int {
	if s.inFlight {
		return s.overflow.size + 1
	}
	return s.overflow.size
}
