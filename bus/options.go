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

	// Of the topic's type, which Option does not know: Subscribe finds out.
	filter any // func(T) bool
	size   any // func(T) int
	bytes  int // the limit on the sum of sizes
	key    any // func(T) any
}

// Limit bounds how many values may wait for the reader. At the limit the
// subscription's [Policy] decides. The default is [DefaultLimit]; below 1
// counts as 1.
//
// Memory beyond the channel's own buffer (128 values at most) is taken only
// while values wait in it; the topic may keep it for a while for the next time. A value counts as waiting until the subscription
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

// Filter leaves out of the subscription every value for which want is false. It
// takes no room and is not counted.
//
// The publisher's goroutine calls want, perhaps several of them at once, and so
// does Subscribe for the replay, which publishers wait for. It must not use the
// topic or its subscriptions, and a panic in it reaches whoever publishes or
// subscribes. The same holds for the
// functions of [LimitBytes] and [Conflate].
//
// On a topic of another type than T, the subscription that Subscribe returns is
// closed from the start, with [ErrOption].
func Filter[T any](want func(T) bool) Option {
	return func(o *options) { o.filter = want }
}

// LimitBytes bounds the sum of the sizes of the values that wait for the
// reader, beside their count. The [Policy] decides when a value would exceed
// either; [DropOldest] drops as many as it takes. A value for which nothing
// else waits is always taken, however large. A negative size counts as 0.
//
// The unit is whatever size returns. [Stats] then has the sum. For the rules
// that size is called by, and for a topic of another type, see [Filter].
func LimitBytes[T any](n int, size func(T) int) Option {
	return func(o *options) { o.bytes, o.size = n, size }
}

// Conflate keeps only the latest value of each key: a value that comes while an
// older one of its key waits takes that one's place in the order, whatever the
// limits, and the older one counts as dropped. Once Publish has returned, the
// reader can no longer receive what was replaced. A value of a key that does
// not wait goes behind all others, and is subject to the limits. A key that does
// not equal itself, as NaN, is the key of no other value.
//
// A replay is conflated before it is cut to the limits. The channel has no
// buffer, so that all that waits can be replaced; the price is a goroutine's
// switch for each value that the reader is not waiting for, and for each that
// replaces the one next to be read. For the rules that key is called by, and
// for a topic of another type, see [Filter].
func Conflate[T any, K comparable](key func(T) K) Option {
	return func(o *options) {
		o.key = func(v T) any {
			k := key(v)
			if k != k { // NaN, or something with NaN in it: never found again
				return new(byte)
			}
			return k
		}
	}
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
// With a limit on sizes any value can be the last, so all but the first wait
// outside.
func (o options) capacity() int {
	if o.key != nil || o.policy == Block && o.size != nil {
		return 0
	}
	if o.policy == Block {
		return min(channelCapacity, o.limit-1)
	}
	return min(channelCapacity, o.limit)
}
