package bus

// Stats counts what became of a subscription's values. Delivered + Dropped +
// Pending is the number of values that it was offered while it was open, replay
// included. A value that a publisher still waits with is not counted yet.
type Stats struct {
	// Delivered counts the values that the reader took.
	Delivered uint64
	// Dropped counts the values that the reader will never see: dropped by the
	// policy, discarded by a close, or given up by a publisher that waited.
	Dropped uint64
	// Pending is how many values wait for the reader, at most the limit.
	Pending int
	// HighWater is the most that waited at once, the value being published
	// included.
	HighWater int
}

// Stats returns the counts so far. They are exact and belong to one moment
// during the call: a reader that has taken n values finds Delivered to be n.
func (s *Subscription[T]) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.inHand {
		s.settle()
		return s.counted
	}
	return s.count()
}

// count is exact when it is known where the value in the pump's hand is. It
// looks into the channel once, because the reader goes on taking from it.
func (s *Subscription[T]) count() Stats {
	n := len(s.ch)
	return Stats{
		Delivered: s.sent - uint64(n),
		Dropped:   s.dropped,
		Pending:   n + s.held(),
		HighWater: s.high,
	}
}
