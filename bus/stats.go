package bus

// Stats counts a subscription's values. Delivered + Dropped + Pending is the
// number of values offered to it while it was open, replay included. The value
// of a publisher that is blocked on it is not counted yet.
type Stats struct {
	// Delivered is the number of values that the reader has received.
	Delivered uint64
	// Dropped is the number of values that the reader will not receive. They
	// were dropped by the policy, replaced under [Conflate], or discarded when
	// the subscription ended. The value of a blocked publisher is dropped when
	// the publisher's context ends.
	Dropped uint64
	// Pending is the number of values that the reader has yet to receive. It is
	// at most the limit.
	Pending int
	// Bytes is the sum of the sizes of the pending values that [LimitBytes]
	// limits.
	Bytes int
	// HighWater is the highest number of pending values so far. It may be one
	// too high if the reader received a value during a publish.
	HighWater int
}

// Stats returns the counts of one moment during the call. They are exact: after
// n receives Delivered is n.
func (s *Subscription[T]) Stats() Stats {
	stats, _, _ := s.report()
	return stats
}

func (s *Subscription[T]) report() (stats Stats, isSlow, isEnded bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle()
	return s.count(), s.state&slow != 0, s.state&ended != 0
}

// count returns the counts. The pump must be settled. count reads the channel's
// length once, because the reader keeps changing it.
func (s *Subscription[T]) count() Stats {
	n := len(s.ch)
	return Stats{
		Delivered: s.sent - s.evicted - uint64(n),
		Dropped:   s.dropped,
		Pending:   n + s.backlog.len(),
		Bytes:     s.bytes(n),
		HighWater: s.high,
	}
}

// TopicStats sums up a topic's open subscriptions. It leaves out each
// subscription that has ended, even while it still delivers.
type TopicStats struct {
	// Subscriptions is the number of open subscriptions.
	Subscriptions int
	// Slow is the number of open subscriptions that reached their limit and
	// have not caught up since.
	Slow int
	// Total is the sum of their counts. Its HighWater is the largest of theirs.
	Total Stats
}

// Stats sums up the topic's subscriptions. It reads them one after the other,
// as [Subscription.Stats] does, so the sum is exact only if nothing is
// published or received meanwhile. It takes each subscription's lock for a
// moment and adds no cost to publishing.
func (t *Topic[T]) Stats() TopicStats {
	var total TopicStats
	for subs := t.subs.Load(); subs != nil; subs = subs.next.Load() {
		one, isSlow, isEnded := subs.s.report()
		if isEnded {
			continue
		}
		total.Subscriptions++
		if isSlow {
			total.Slow++
		}
		total.Total.Delivered += one.Delivered
		total.Total.Dropped += one.Dropped
		total.Total.Pending += one.Pending
		total.Total.Bytes += one.Bytes
		total.Total.HighWater = max(total.Total.HighWater, one.HighWater)
	}
	return total
}
