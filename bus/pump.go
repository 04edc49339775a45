package bus

// startPump starts the goroutine that moves values from the backlog into the
// channel. The subscription owns it, and has one at most. It ends when the
// backlog is empty.
func (s *Subscription[T]) startPump() {
	s.enter(pumping)
	if s.interrupt == nil {
		s.interrupt, s.taken = make(chan struct{}), make(chan struct{}, 1)
	}
	go s.pump()
}

func (s *Subscription[T]) pump() {
	s.mu.Lock()
	for s.refill() {
		v := *s.backlog.values.front()
		s.sending = true
		s.mu.Unlock()
		select {
		case s.ch <- v:
			s.taken <- struct{}{}
		case <-s.interrupt:
		}
		s.mu.Lock()
		s.settle()
	}
	s.state &^= pumping
	s.backlog.clear()
	over := s.state&ended != 0
	s.mu.Unlock()
	if over {
		s.finish()
	}
}

// refill moves values from the backlog into the channel until it is full, and
// reports whether any are left.
func (s *Subscription[T]) refill() (left bool) {
	for fits := true; fits && s.backlog.len() > 0; {
		run, n := s.backlog.values.run(), 0
		for n < len(run) && s.trySend(&run[n]) {
			n++
		}
		fits = n == len(run)
		s.moved(n)
	}
	return s.backlog.len() > 0
}

// settle ends the pump's send, in which the oldest value of the backlog may
// have been received. After it the backlog holds the values that have not been.
// The pump sends again once mu is released.
//
// It waits for the pump to run, never for a reader: a pump that waits for a
// reader takes the interrupt at once.
func (s *Subscription[T]) settle() {
	if !s.sending {
		return
	}
	s.sending = false
	select {
	case s.interrupt <- struct{}{}:
	case <-s.taken:
		s.moved(1)
	}
}

// moved removes the n oldest values of the backlog, which were sent on ch, and
// wakes the publishers that wait for room.
func (s *Subscription[T]) moved(n int) {
	if n == 0 {
		return
	}
	if s.sums == nil && s.backlog.infos.size == 0 {
		s.sent += uint64(n)
		s.backlog.values.pop(n)
	} else {
		for range n {
			s.countSent(s.backlog.pop().size)
		}
	}
	s.signalRoom()
}

// countSent counts a value that was sent on ch. Under Block the limit on sizes
// applies to the backlog only, because no pump notices that the reader makes
// room in ch.
func (s *Subscription[T]) countSent(size int) {
	s.sent++
	s.spare -= size
	if s.sums == nil {
		if size == 0 || cap(s.ch) == 0 || s.options.policy == Block {
			return
		}
		s.sums = make([]uint, cap(s.ch)+1)
	}
	n := uint64(len(s.sums))
	s.sums[s.sent%n] = s.sums[(s.sent-1)%n] + uint(size)
}
