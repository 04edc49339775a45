package bus

// Stats counts what became of a subscription's values. Delivered + Dropped +
// Pending is the number of values that it was offered while it was open, replay
// included. A value that a publisher still waits with is not counted yet.
type Stats struct {
	// Delivered counts the values that the reader took.
	Delivered uint64
	// Dropped counts the values that the reader will never see: dropped by the
	// policy, replaced under [Conflate], discarded by a close, or given up by a
	// publisher that waited.
	Dropped uint64
	// Pending is how many values wait for the reader, at most the limit.
	Pending int
	// Bytes is the sum of the sizes of the values that wait, 0 without
	// [LimitBytes].
	Bytes int
	// HighWater is the most that waited at once, the value being published
	// included.
	HighWater int
}

// Stats returns the counts so far. They are exact and belong to one moment
// during the call: a reader that has taken n values finds Delivered to be n.
func (s *Subscription[T]) Stats() Stats {
	stats, _, _ := s.report()
	return stats
}

func (s *Subscription[T]) report() (stats Stats, isSlow, isEnded bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.inFlight {
		s.settle()
		stats = s.counted
	} else {
		stats = s.count()
	}
	return stats, s.state&slow != 0, s.state&ended != 0
}

// count is exact when it is known where the value in the pump's hand is. If the
// pump has yet to say that it was taken, it may count as waiting; but not if that
// makes more than the limit, or more in the channel than was sent. Count looks
// into the channel once, because the reader goes on taking from it.
func (s *Subscription[T]) count() Stats {
	n := len(s.ch)
	pending := n + s.held()
	if s.inFlight && (pending > s.options.limit || int64(s.sent) < int64(n)) {
		pending--
	}
	s.sizes.cut(pending)
	return Stats{
		Delivered: s.sent + uint64(s.held()) - uint64(pending),
		Dropped:   s.dropped,
		Pending:   pending,
		Bytes:     s.sizes.bytes,
		HighWater: s.high,
	}
}

// TopicStats sums up a topic's open subscriptions. Those that have ended are
// not in it, not even while they still deliver.
type TopicStats struct {
	// Subscriptions is how many there are.
	Subscriptions int
	// Slow is how many of them were at their limit and have not caught up since.
	Slow int
	// Sum has their counts added up. Its HighWater is the largest of theirs.
	Total Stats
}

// Stats sums up the topic's subscriptions. Each one's counts are as exact as
// those of [Subscription.Stats]; they are read one after the other, so the sum
// is exact when nothing is published or received meanwhile. Publishing pays
// nothing for it: Stats takes each subscription's lock, for a moment.
func (t *Topic[T]) Stats() TopicStats {
	var sum TopicStats
	for subs := t.subs.Load(); subs != nil; subs = subs.next {
		one, isSlow, isEnded := subs.s.report()
		if isEnded {
			continue
		}
		sum.Subscriptions++
		if isSlow {
			sum.Slow++
		}
		sum.Total.Delivered += one.Delivered
		sum.Total.Dropped += one.Dropped
		sum.Total.Pending += one.Pending
		sum.Total.Bytes += one.Bytes
		sum.Total.HighWater = max(sum.Total.HighWater, one.HighWater)
	}
	return sum
}
