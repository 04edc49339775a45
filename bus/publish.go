package bus

import (
	"context"
	"slices"
)

// publishSlowly gives v to subs when the first of them does not keep up, or has
// functions of its own to apply to v. What takes time, logging and waiting for
// room, comes when all others have v.
func publishSlowly[T any](ctx context.Context, v T, subs *list[T]) error {
	var err error
	for _, r := range offerAll(v, subs) {
		if e := r.s.await(ctx, v, r.info, r.room); e != nil {
			err = e
		}
	}
	return err
}

// offerAll gives v to subs and returns those that it has business left with.
func offerAll[T any](v T, subs *list[T]) (rest []pendingOffer[T]) {
	// Also when a function of a later subscription panics.
	defer func() {
		for _, r := range rest {
			r.s.follow()
		}
	}()
	for ; subs != nil; subs = subs.next {
		s := subs.s
		var m valueInfo
		if s.funcs.any() {
			if !s.funcs.wants(v) {
				continue
			}
			m = s.funcs.inspect(v)
		}
		s.mu.Lock()
		room := s.offer(v, m)
		if room != nil || len(s.transitions) > 0 {
			rest = append(rest, pendingOffer[T]{s, m, room})
		}
		s.mu.Unlock()
	}
	return rest
}

// spill puts v behind the others in a backlog, if that is all there is to heed,
// and reports whether it did. It comes to what offer does. Like look, it looks at
// the channel, which the pump and the reader keep changing, only if what the
// channel holds can matter. The caller holds mu.
func (s *Subscription[T]) spill(v *T) bool {
	if s.state != pumping {
		return false
	}
	if n := s.capacity + s.held(); n >= min(s.high, s.options.limit) {
		n = len(s.ch) + s.held()
		if n >= s.options.limit {
			return false
		}
		s.high = max(s.high, n+1)
	}
	s.overflow.push(v)
	return true
}

// business is what a publisher has left to do with one subscription.
type pendingOffer[T any] struct {
	s    *Subscription[T]
	info valueInfo
	room <-chan struct{} // wait for it, if not nil
}

// offer gives v to the subscription if it has room, or does what its policy
// says. If the publisher has to wait, offer returns a channel that closes when
// there may be room. The caller holds mu, and calls follow when it has released
// it.
func (s *Subscription[T]) offer(v T, m valueInfo) (room <-chan struct{}) {
	switch n := s.pending(); {
	case s.state&ended != 0:
		return nil
	case s.funcs.key != nil && s.replace(v, m):
		return nil
	case !s.full(n, m):
		if n == 0 && s.state&slow != 0 {
			s.state &^= slow
			s.recordTransition(true)
		}
		s.place(v, m)
		return nil
	}

	// At the limit.
	first := s.state&slow == 0
	s.enter(slow)
	switch s.options.policy {
	case Block:
		if s.room == nil {
			s.room = make(chan struct{})
		}
		room = s.room
	case DropOldest:
		caught := s.evict()
		for caught && s.overweight(m) {
			caught = s.evict()
		}
		if !caught && s.inFlight && s.full(s.pending(), m) {
			if first {
				s.recordTransition(false)
			}
			s.replaceInFlight(v, m)
			return nil
		}
		s.place(v, m)
	case DropNewest:
		s.dropped++
	default:
		s.dropped++
		s.endLocked(ErrSlowConsumer)
	}
	if first {
		s.recordTransition(false)
	}
	return room
}

// follow does what an offer has left to do once mu is released.
func (s *Subscription[T]) follow() {
	if s.Err() != nil {
		s.topic.leave(s)
		s.unwatch()
	}
	s.notify()
}

// place puts v behind everything that waits.
func (s *Subscription[T]) place(v T, m valueInfo) {
	s.high = max(s.high, min(s.pending()+1, s.options.limit))
	if s.funcs.size != nil {
		s.sizes.cut(len(s.ch) + s.held())
		s.sizes.push(m)
	}
	if s.state&pumping != 0 || !s.trySend(&v) {
		s.queue(v, m)
		if s.state&pumping == 0 {
			s.startPump()
		}
	}
}

func (s *Subscription[T]) trySend(v *T) bool {
	select {
	case s.ch <- *v:
		s.sent++
		return true
	default:
		return false
	}
}

// evict drops the oldest value that can still be caught, and reports whether
// there was one.
//
// Taking it from the channel keeps the order: if the pump waits to send, its
// value, which is the next one, moves up in the same step. The channel can
// be empty, though, with the pump's value on its way: the reader took all of
// it while publishers, seeing the pump at work, went on filling the overflow.
// The overflow's first is then the oldest within reach. Both can be empty too,
// if the reader was faster than this call; the pump's value may be all that
// waits then, see supersede.
func (s *Subscription[T]) evict() bool {
	skip := 0
	select {
	case <-s.ch:
		s.sent--
	default:
		if s.overflow.size == 0 {
			return false
		}
		// The newest marks are the overflow's. One before them, if there is
		// one, is that of the pump's value.
		s.sizes.cut(s.held())
		skip = max(0, s.sizes.infos.size-s.overflow.size)
		s.unqueue(1)
	}
	if s.sizes.infos.size > skip {
		s.sizes.popAfter(skip)
	}
	s.dropped++
	return true
}

// replay puts values in front of everything else, the newest of them if there
// are more than the limits allow.
func (s *Subscription[T]) replay(values []T) {
	if s.funcs.filter != nil {
		values = slices.DeleteFunc(values, func(v T) bool { return !s.funcs.filter(v) })
	}
	if s.funcs.key != nil {
		values = s.funcs.conflated(values)
	}
	marks := make([]valueInfo, len(values))
	first, bytes := len(values), 0
	for first > 0 && len(values)-first < s.options.limit {
		m := s.funcs.inspect(values[first-1])
		if s.funcs.size != nil && m.size > s.options.bytes-bytes && first < len(values) {
			break
		}
		first--
		bytes += m.size
		marks[first] = m
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := first; i < len(values); i++ {
		s.place(values[i], marks[i])
	}
}

// await offers v again whenever there may be room, and for the last time when
// ctx ends, until the subscription has taken it or has ended. Otherwise v is
// dropped.
func (s *Subscription[T]) await(ctx context.Context, v T, m valueInfo, room <-chan struct{}) (err error) {
	for room != nil && err == nil {
		select {
		case <-room:
		case <-ctx.Done():
			err = ctx.Err()
		}
		s.mu.Lock()
		over := s.state&ended != 0
		room = s.offer(v, m)
		if room == nil && !over {
			err = nil // there was room after all
		} else if over || err != nil {
			s.dropped++
		}
		s.mu.Unlock()
		s.follow()
	}
	return err
}

// signalRoom wakes every publisher that waits for room, if there is any or none
// will be needed any more.
func (s *Subscription[T]) signalRoom() {
	if s.room != nil && (s.state&ended != 0 || !s.full(s.pending(), valueInfo{})) {
		close(s.room)
		s.room = nil
	}
}
