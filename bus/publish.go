package bus

import (
	"context"
	"slices"
)

// publishSlowly offers v to subs when the first of them does not keep up, or
// has functions to apply to v. It logs and waits for room only after v is in
// every subscription that has room.
func publishSlowly[T any](ctx context.Context, v T, subs *list[T]) error {
	var err error
	for _, r := range offerAll(v, subs) {
		if e := r.s.await(ctx, v, r.info, r.room); e != nil {
			err = e
		}
	}
	return err
}

// offerAll offers v to subs and returns the offers that are not finished.
func offerAll[T any](v T, subs *list[T]) (rest []pendingOffer[T]) {
	// Deferred, so that it also runs when a function of a later subscription
	// panics.
	defer func() {
		for _, r := range rest {
			r.s.follow()
		}
	}()
	for ; subs != nil; subs = subs.next {
		s := subs.s
		var info valueInfo
		if s.funcs.any() {
			if !s.funcs.wants(v) {
				continue
			}
			info = s.funcs.inspect(v)
		}
		s.mu.Lock()
		room := s.offer(v, info)
		if room != nil || len(s.transitions) > 0 {
			rest = append(rest, pendingOffer[T]{s, info, room})
		}
		s.mu.Unlock()
	}
	return rest
}

// spill appends v to a backlog if no other rule applies, and reports whether it
// did. The effect is that of offer. Like look, it reads the channel's length,
// which the pump and the reader keep changing, only if the length can matter.
// The caller holds mu.
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

// A pendingOffer is the rest of a publisher's work for one subscription.
type pendingOffer[T any] struct {
	s    *Subscription[T]
	info valueInfo
	room <-chan struct{} // wait for it, if not nil
}

// offer adds v if the subscription has room, and otherwise applies its policy.
// If the publisher has to wait, offer returns a channel that closes when there
// may be room. The caller holds mu, and calls follow after releasing it.
func (s *Subscription[T]) offer(v T, info valueInfo) (room <-chan struct{}) {
	switch n := s.pending(); {
	case s.state&ended != 0:
		return nil
	case s.funcs.key != nil && s.replace(v, info):
		return nil
	case !s.full(n, info):
		if n == 0 && s.state&slow != 0 {
			s.state &^= slow
			s.recordTransition(true)
		}
		s.place(v, info)
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
		dropped := s.evict()
		for dropped && s.exceedsBytes(info) {
			dropped = s.evict()
		}
		if !dropped && s.inFlight && s.full(s.pending(), info) {
			if first {
				s.recordTransition(false)
			}
			s.replaceInFlight(v, info)
			return nil
		}
		s.place(v, info)
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

// follow finishes an offer after mu is released.
func (s *Subscription[T]) follow() {
	if s.Err() != nil {
		s.topic.leave(s)
		s.unwatch()
	}
	s.notify()
}

// place adds v behind all pending values.
func (s *Subscription[T]) place(v T, info valueInfo) {
	s.high = max(s.high, min(s.pending()+1, s.options.limit))
	if s.funcs.size != nil {
		s.sizes.cut(len(s.ch) + s.held())
		s.sizes.push(info)
	}
	if s.state&pumping != 0 || !s.trySend(&v) {
		s.queue(v, info)
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

// evict drops the oldest pending value that is not in flight, and reports
// whether there was one.
//
// Receiving the value from the channel keeps the order. If the pump is blocked
// in its send, the same step moves the value in flight, which is the next one,
// into the channel. If the reader has emptied the channel, the first value of
// the overflow is dropped. If the overflow is empty too, the value in flight
// may be the only pending one; see replaceInFlight.
func (s *Subscription[T]) evict() bool {
	skip := 0
	select {
	case <-s.ch:
		s.sent--
	default:
		if s.overflow.size == 0 {
			return false
		}
		// The newest infos are the overflow's. The one before them, if any, is
		// that of the value in flight.
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

// selectReplay returns the kept values that a new subscription receives. If
// they exceed the limits, it returns only the newest ones.
func (s *Subscription[T]) selectReplay(values []T) ([]T, []valueInfo) {
	if s.funcs.filter != nil {
		values = slices.DeleteFunc(values, func(v T) bool { return !s.funcs.filter(v) })
	}
	if s.funcs.key != nil {
		values = s.funcs.conflated(values)
	}
	infos := make([]valueInfo, len(values))
	first, bytes := len(values), 0
	for first > 0 && len(values)-first < s.options.limit {
		info := s.funcs.inspect(values[first-1])
		if s.funcs.size != nil && info.size > s.options.bytes-bytes && first < len(values) {
			break
		}
		first--
		bytes += info.size
		infos[first] = info
	}
	return values[first:], infos[first:]
}

// placeAll adds values to a new subscription.
func (s *Subscription[T]) placeAll(values []T, infos []valueInfo) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, v := range values {
		s.place(v, infos[i])
	}
}

// await offers v again whenever there may be room, and a last time when ctx
// ends. It returns when the subscription has accepted v or has ended, or when
// ctx ends. If v was not accepted, it is dropped.
func (s *Subscription[T]) await(ctx context.Context, v T, info valueInfo, room <-chan struct{}) (err error) {
	for room != nil && err == nil {
		select {
		case <-room:
		case <-ctx.Done():
			err = ctx.Err()
		}
		s.mu.Lock()
		over := s.state&ended != 0
		room = s.offer(v, info)
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

// signalRoom wakes all publishers that wait for room, if there is room or the
// subscription has ended.
func (s *Subscription[T]) signalRoom() {
	if s.room != nil && (s.state&ended != 0 || !s.full(s.pending(), valueInfo{})) {
		close(s.room)
		s.room = nil
	}
}
