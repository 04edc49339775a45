package bus

// A SubscriptionInfo describes an open subscription, for a debug page.
type SubscriptionInfo struct {
	Name   string // of the option [Name]; "" without it
	Caller string // the file and line that subscribed
	Policy Policy
	Limit  int
	Slow   bool // it reached its limit and has not caught up since
	Stats  Stats
}

// Subscriptions describes the topic's open subscriptions, in no order. It reads
// them as [Topic.Stats] does.
func (t *Topic[T]) Subscriptions() []SubscriptionInfo {
	var all []SubscriptionInfo
	for subs := t.subs.Load(); subs != nil; subs = subs.next.Load() {
		s := subs.s
		stats, isSlow, isEnded := s.report()
		if isEnded {
			continue
		}
		all = append(all, SubscriptionInfo{
			Name: s.options.name, Caller: callSite(s.callers),
			Policy: s.options.policy, Limit: s.options.limit, Slow: isSlow, Stats: stats,
		})
	}
	return all
}

// Subscriptions is [Topic.Subscriptions].
func (s Source[T]) Subscriptions() []SubscriptionInfo {
	if s.topic == nil {
		return nil
	}
	return s.topic.Subscriptions()
}
