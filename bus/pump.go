package bus

// startPump starts the goroutine that moves values from the overflow into the
// channel. The subscription owns it, and has one at most. It ends when the
// overflow is empty, or at once when the subscription discards its values.
func (s *Subscription[T]) startPump() {
	s.enter(pumping)
	if s.wake == nil {
		s.wake = make(chan struct{}, 1)
	}
	go s.pump()
}

func (s *Subscription[T]) pump() {
	s.mu.Lock()
	for s.refill() {
		v := *s.overflow.front()
		if s.funcs.key != nil {
			s.conflation.inFlight = *s.conflation.keys.front()
		}
		s.unqueue(1)
		for !s.send(&v) {
			if s.state&discarded != 0 {
				s.dropped++
				s.sizes.truncate(max(0, s.sizes.infos.size-1))
				break
			}
		}
	}
	s.state &^= pumping
	s.unqueueAll()
	s.conflation.inFlight = nil
	if s.state&ended != 0 {
		s.shutLocked()
	}
	s.mu.Unlock()
	s.unwatch()
}

// refill moves values into the channel until it is full, and reports whether
// any are left.
//
// It also wakes waiting publishers if there is room: after each value in flight
// is sent, and before the pump ends. The second is needed because the reader
// may empty the channel before a new pump runs, which then sends nothing
// itself.
func (s *Subscription[T]) refill() (left bool) {
	for fits := true; fits && s.overflow.size > 0; {
		run, n := s.overflow.run(), 0
		for n < len(run) && s.trySend(&run[n]) {
			n++
		}
		fits = n == len(run)
		s.unqueue(n)
	}
	s.signalRoom()
	return s.overflow.size > 0
}

// send blocks, with mu released, until v is sent or wake is signaled. It
// reports whether v was sent. The channel is not closed before it returns.
func (s *Subscription[T]) send(v *T) (sent bool) {
	s.inFlight = true
	s.mu.Unlock()
	select {
	case s.ch <- *v:
		sent = true
	case <-s.wake:
	}
	s.mu.Lock()
	if sent {
		s.inFlight = false
		s.sent++
	}
	s.exchange(v, sent)
	s.counted = s.count()
	s.inFlight = false
	s.sends++
	s.settled.Broadcast()
	return sent
}

// settle returns when it is known whether the value in flight was taken. It
// waits for the pump only, never for a reader. It releases mu meanwhile.
//
// It is needed because a receive lets the runtime complete the pump's blocked
// send. The value still counts as in flight until the pump runs.
func (s *Subscription[T]) settle() {
	for seen := s.sends; s.inFlight && s.sends == seen; {
		select {
		case s.wake <- struct{}{}:
		default: // signaled already
		}
		s.settled.Wait()
	}
}

// A substitute is a value that replaces the one in flight.
type substitute[T any] struct {
	value T
	info  valueInfo
}

// replaceInFlight replaces the value in flight with v. It wakes the pump, which
// sends v instead. If the reader has taken the old value already, v is added as
// a new one.
func (s *Subscription[T]) replaceInFlight(v T, info valueInfo) {
	if s.substitute != nil { // another publisher's, which the pump has yet to take
		s.dropped++
	}
	s.substitute = &substitute[T]{v, info}
	s.settle()
}

// exchange applies the substitute, if there is one, after the pump's send of v
// has ended.
func (s *Subscription[T]) exchange(v *T, sent bool) {
	sub := s.substitute
	s.substitute = nil
	switch {
	case sub == nil:
	case !sent:
		*v = sub.value
		s.dropped++
		s.conflation.inFlight = sub.info.key
		if s.funcs.size != nil {
			s.sizes.cut(len(s.ch) + s.held())
			s.sizes.resize(s.sizes.infos.front(), sub.info.size)
			s.signalRoom() // if the substitute is smaller
		}
	case s.state&discarded != 0:
		s.dropped++
	default:
		if s.funcs.size != nil {
			s.sizes.cut(len(s.ch) + s.held())
			s.sizes.push(sub.info)
		}
		s.queue(sub.value, sub.info)
	}
}
