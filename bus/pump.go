package bus

// startPump starts the goroutine that moves values from the overflow into the
// channel. The subscription owns it, and has one at most. It ends when the
// overflow is empty, or at once when the subscription discards what it holds.
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
		for !s.hand(&v) {
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

// refill moves what fits into the channel, and reports whether anything is
// left that does not.
//
// It is also where waiting publishers are told of room: whenever the pump has
// sent the value in its hand, and before it ends. The latter matters on its
// own: a pump that has just been started by a full channel may find that the
// reader emptied it meanwhile, and leave without ever taking a value in hand.
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

// hand waits, with mu released, until v is sent or somebody wakes the pump. It
// reports whether v was sent. Until it returns nobody closes the channel.
func (s *Subscription[T]) hand(v *T) (sent bool) {
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
	s.handover++
	s.settled.Broadcast()
	return sent
}

// settle returns when it is known whether the value in the pump's hand was
// taken. It waits for the pump only, never for a reader; mu is released
// meanwhile.
//
// Without it: the pump waits in its send, the reader receives, and the runtime
// moves the pump's value into the channel's buffer. The reader then sees the
// pump still with a value in hand, until the pump gets to run.
func (s *Subscription[T]) settle() {
	for seen := s.handover; s.inFlight && s.handover == seen; {
		select {
		case s.wake <- struct{}{}:
		default: // it has been told
		}
		s.settled.Wait()
	}
}

// A marked value is one with its mark.
type marked[T any] struct {
	value T
	info  valueInfo
}

// supersede puts v in the place of the value in the pump's hand. The pump is
// called back, which it follows at once, to take v instead. If the reader has
// been faster, v is a new value.
func (s *Subscription[T]) replaceInFlight(v T, m valueInfo) {
	if s.substitute != nil { // another publisher's, still waiting for the pump
		s.dropped++
	}
	s.substitute = &marked[T]{v, m}
	s.settle()
}

// exchange does what supersede asked of the pump, which is back with v, sent or
// not.
func (s *Subscription[T]) exchange(v *T, sent bool) {
	with := s.substitute
	s.substitute = nil
	switch {
	case with == nil:
	case !sent:
		*v = with.value
		s.dropped++
		s.conflation.inFlight = with.info.key
		if s.funcs.size != nil {
			s.sizes.cut(len(s.ch) + s.held())
			s.sizes.resize(s.sizes.infos.front(), with.info.size)
			s.signalRoom() // if it is smaller
		}
	case s.state&discarded != 0:
		s.dropped++
	default:
		if s.funcs.size != nil {
			s.sizes.cut(len(s.ch) + s.held())
			s.sizes.push(with.info)
		}
		s.queue(with.value, with.info)
	}
}
