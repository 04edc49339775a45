package bus

import "context"

// publishSlowly gives v to subs when the first of them does not keep up. What
// takes time, logging and waiting for room, comes when all others have v.
func publishSlowly[T any](ctx context.Context, v T, subs *list[T]) error {
	var rest []business[T]
	for ; subs != nil; subs = subs.next {
		s := subs.s
		s.mu.Lock()
		room, edge := s.offer(v)
		s.mu.Unlock()
		if room != nil || edge.change != unchanged {
			rest = append(rest, business[T]{s, room, edge})
		}
	}
	for _, r := range rest {
		r.s.follow(r.edge)
	}
	var err error
	for _, r := range rest {
		if e := r.s.await(ctx, v, r.room); e != nil {
			err = e
		}
	}
	return err
}

// business is what a publisher has left to do with one subscription.
type business[T any] struct {
	s    *Subscription[T]
	room <-chan struct{} // wait for it, if not nil
	edge edge
}

// offer gives v to the subscription if it has room, or does what its policy
// says. If the publisher has to wait, offer returns a channel that closes when
// there may be room. The edge is for follow. The caller holds mu.
func (s *Subscription[T]) offer(v T) (<-chan struct{}, edge) {
	var e edge
	switch n := s.pending(); {
	case s.state&ended != 0:
		return nil, e
	case n < s.options.limit:
		if n == 0 && s.state&slow != 0 {
			s.state &^= slow
			e = s.edgeLocked(caughtUp)
		}
		s.place(v)
		return nil, e
	}

	// At the limit.
	first := s.state&slow == 0
	s.enter(slow)
	var room <-chan struct{}
	switch s.options.policy {
	case Block:
		if s.room == nil {
			s.room = make(chan struct{})
		}
		room = s.room
	case DropOldest:
		s.evict()
		s.place(v)
	case DropNewest:
		s.dropped++
	default:
		s.dropped++
		s.endLocked(ErrSlowConsumer)
	}
	if first {
		e = s.edgeLocked(fellBehind)
	}
	return room, e
}

// follow does what an edge asks for once mu is released.
func (s *Subscription[T]) follow(e edge) {
	if e.ended {
		s.topic.leave(s)
		s.unwatch()
	}
	if e.change != unchanged {
		s.log(e)
	}
}

// place puts v behind everything that waits.
func (s *Subscription[T]) place(v T) {
	s.high = max(s.high, min(s.pending()+1, s.options.limit))
	if s.state&pumping != 0 || !s.trySend(&v) {
		s.overflow.push(v)
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

// evict drops the oldest value that can still be caught.
//
// Taking it from the channel keeps the order: if the pump waits to send, its
// value, which is the next one, moves up in the same step. The channel can
// be empty, though, with the pump's value on its way: the reader took all of
// it while publishers, seeing the pump at work, went on filling the overflow.
// The overflow's first is then the oldest within reach. Both can be empty too,
// if the reader was faster than this call.
func (s *Subscription[T]) evict() {
	select {
	case <-s.ch:
		s.sent--
	default:
		if s.overflow.size == 0 {
			return
		}
		s.overflow.pop()
	}
	s.dropped++
}

// replay puts values in front of everything else, the newest of them if there
// are more than the limit.
func (s *Subscription[T]) replay(values []T) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range values[max(0, len(values)-s.options.limit):] {
		s.place(v)
	}
}

// await offers v again whenever there may be room, until the subscription has
// taken it, has ended, or ctx ends. In the two latter cases v is dropped.
func (s *Subscription[T]) await(ctx context.Context, v T, room <-chan struct{}) error {
	for room != nil {
		var err error
		select {
		case <-room:
		case <-ctx.Done():
			err = ctx.Err()
		}
		s.mu.Lock()
		if err != nil || s.state&ended != 0 {
			s.dropped++
			s.mu.Unlock()
			return err
		}
		var e edge
		room, e = s.offer(v)
		s.mu.Unlock()
		s.follow(e)
	}
	return nil
}

// signalRoom wakes every publisher that waits for room.
func (s *Subscription[T]) signalRoom() {
	if s.room != nil {
		close(s.room)
		s.room = nil
	}
}
