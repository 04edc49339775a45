package bus

// Slow tells [Topic.OnSlow] that a subscription has begun or ceased to be slow.
type SlowEvent struct {
	Topic        string // its name
	Subscription string // its name, or the file and line that subscribed
	Policy       Policy
	Limit        int

	// CaughtUp is false when a value finds the subscription at its limit, and
	// true when a value finds nothing waiting after that.
	CaughtUp bool

	// Stats are the subscription's counts at that moment. Pending may be one too many
	// and Delivered one too few, because the subscription has yet to notice what was
	// taken last.
	Stats Stats
}
