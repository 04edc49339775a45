package bus

import "context"

// publishSlowly offers v to subs when the first of them does not keep up, or
// has functions to apply to v. It logs and waits for room only after v is in
// every subscription that has room.
func publishSlowly[T any](ctx context.Context, v T, size int, subs *node[T]) error {
	var err error
	for _, r := range offerAll(v, size, subs) {
		if e := r.s.await(ctx, r, v); e != nil {
			err = e
		}
	}
	return err
}

// offerAll offers v to subs and returns the offers that are not finished.
func offerAll[T any](v T, size int, subs *node[T]) (rest []pendingOffer[T]) {
	// Deferred, so that it also runs when a function of a later subscription
	// panics.
	defer func() {
		for _, r := range rest {
			r.s.follow()
		}
	}()
	for ; subs != nil; subs = subs.next.Load() {
		s := subs.s
		if !s.funcs.wants(v) {
			continue
		}
		info := s.funcs.inspect(v, size)
		s.mu.Lock()
		room := s.offer(v, info)
		if room != nil || len(s.transitions) > 0 {
			rest = append(rest, pendingOffer[T]{s, info, room})
		}
		s.mu.Unlock()
	}
	return rest
}

// spill appends v to the backlog if no other rule applies, and reports whether
// it did. The effect is that of offer. Like look, it reads the channel's
// length, which the pump and the reader keep changing, only if the length can
// matter. The caller holds mu.
func (s *Subscription[T]) spill(v *T, size int) bool {
	if s.state != pumping || size > 0 && size > s.options.bytes-s.bytes(len(s.ch)) {
		return false
	}
	if n := cap(s.ch) + s.backlog.len(); n >= min(s.high, s.options.limit) {
		n = s.pending()
		if n >= s.options.limit {
			return false
		}
		s.high = max(s.high, n+1)
	}
	s.backlog.push(v, valueInfo{size: size})
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
	if s.state&ended != 0 {
		return nil
	}
	if s.state&slow != 0 || !s.fits(info) {
		s.settle()
	}
	if s.fits(info) {
		if s.state&slow != 0 && s.pending() == 0 {
			s.state &^= slow
			s.recordTransition(true)
		}
		s.put(v, info)
		return nil
	}

	first := s.state&slow == 0
	s.enter(slow)
	switch s.options.policy {
	case Block:
		if s.room == nil {
			s.room = make(chan struct{})
		}
		room = s.room
	case DropOldest:
		s.makeRoom(info)
		s.put(v, info)
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
		s.finish()
	}
	s.notify()
}

// fits reports whether the limits allow a value with that info. The only
// pending value may be of any size.
func (s *Subscription[T]) fits(info valueInfo) bool {
	n := len(s.ch)
	bytes, backlog := s.bytes(n), s.backlog.len()
	if old, ok := s.backlog.slots[info.key]; ok {
		bytes, backlog = bytes-old.info.size, backlog-1
	}
	only := n == 0 || s.options.policy == Block // see countSent
	return n+backlog < s.options.limit && (only && backlog == 0 || info.size <= s.options.bytes-bytes)
}

// put replaces the pending value of v's key with v, or adds v behind all
// pending values.
func (s *Subscription[T]) put(v T, info valueInfo) {
	if old, ok := s.backlog.slots[info.key]; ok {
		if old.value == s.backlog.values.front() {
			s.settle() // the reader may have received it
			old, ok = s.backlog.slots[info.key]
		}
		if ok {
			s.backlog.replace(old, v, info)
			s.dropped++
			s.signalRoom() // if v is smaller
			return
		}
	}
	s.high = max(s.high, s.pending()+1)
	if s.backlog.len() == 0 && s.trySend(&v) {
		s.countSent(info.size)
		return
	}
	s.backlog.push(&v, info)
	if s.state&pumping == 0 {
		s.startPump()
	}
}

func (s *Subscription[T]) trySend(v *T) bool {
	select {
	case s.ch <- *v:
		return true
	default:
		return false
	}
}

// makeRoom drops the oldest pending values until a value with that info fits.
// The pump must be settled.
func (s *Subscription[T]) makeRoom(info valueInfo) {
	for !s.fits(info) {
		select {
		case <-s.ch:
			s.evicted++
		default:
			if s.backlog.len() == 0 {
				return // the reader has received all
			}
			s.backlog.pop()
		}
		s.dropped++
	}
}

// inspectAll returns the values that pass the filter, with their infos.
func (s *Subscription[T]) inspectAll(history []sized[T]) (values []T, infos []valueInfo) {
	for _, h := range history {
		if s.funcs.wants(h.value) {
			values, infos = append(values, h.value), append(infos, s.funcs.inspect(h.value, h.size))
		}
	}
	return values, infos
}

// replay adds values to a new subscription, under every policy as under
// DropOldest. It does not count the values that it drops.
func (s *Subscription[T]) replay(values []T, infos []valueInfo) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, v := range values {
		s.makeRoom(infos[i])
		s.put(v, infos[i])
	}
	s.dropped, s.high = 0, s.pending()
}

// await offers v again whenever there may be room, and a last time when ctx
// ends. It returns when the subscription has accepted v or has ended, or when
// ctx ends. If v was not accepted, it is dropped.
func (s *Subscription[T]) await(ctx context.Context, r pendingOffer[T], v T) (err error) {
	for room := r.room; room != nil && err == nil; {
		select {
		case <-room:
		case <-ctx.Done():
			err = ctx.Err()
		}
		s.mu.Lock()
		over := s.state&ended != 0
		room = s.offer(v, r.info)
		switch {
		case over || room != nil && err != nil:
			s.dropped++
		case room == nil:
			err = nil // there was room after all
		}
		s.mu.Unlock()
		s.follow()
	}
	return err
}

// signalRoom wakes all publishers that wait for room.
func (s *Subscription[T]) signalRoom() {
	if s.room != nil {
		close(s.room)
		s.room = nil
	}
}
