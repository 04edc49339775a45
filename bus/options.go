package bus

// DefaultLimit is how many values a subscription holds for its reader unless
// [Limit] says otherwise.
const DefaultLimit = 8192

// channelCapacity is the most that a subscription's channel itself buffers.
const channelCapacity = 128

// An Option changes one setting of one subscription.
type Option func(*options)

type options struct {
	limit  int
	policy Policy
	name   string
}

// Limit bounds how many values may wait for the reader. At the limit the
// subscription's [Policy] decides. The default is [DefaultLimit]; below 1
// counts as 1.
//
// Memory beyond the channel's own buffer (128 values at most) is taken only
// while values wait in it. A value counts as waiting until the subscription
// has noticed that it was taken, so a subscription with a longer queue than
// its channel may act one value early.
func Limit(n int) Option {
	return func(o *options) { o.limit = max(n, 1) }
}

// OnOverflow sets what happens when a value comes and the subscription is at
// its limit. The default is [Fail].
func OnOverflow(p Policy) Option {
	return func(o *options) { o.policy = p }
}

// Name says what the log calls the subscription. The default is the file and
// line that subscribed.
func Name(name string) Option {
	return func(o *options) { o.name = name }
}

func newOptions(opts []Option) options {
	o := options{limit: DefaultLimit}
	for _, opt := range opts {
		opt(&o)
	}
	return o
}

// capacity returns the size of the channel. Under Block it stays below the
// limit: the last value waits in the pump's hand instead, and so there is
// always a pump to tell waiting publishers of the room that a reader makes.
func (o options) capacity() int {
	if o.policy == Block {
		return min(channelCapacity, o.limit-1)
	}
	return min(channelCapacity, o.limit)
}
