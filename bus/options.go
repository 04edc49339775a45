package bus

// DefaultLimit is the number of pending values that a subscription holds at
// most unless [Limit] sets another.
const DefaultLimit = 8192

// DefaultLimitBytes is the sum of the sizes of the pending values that a
// subscription holds at most unless [LimitBytes] sets another.
const DefaultLimitBytes = 64 << 20

// channelCapacity is the largest buffer of a subscription's channel.
const channelCapacity = 128

// An Option changes one setting of one subscription.
type Option func(*options)

type options struct {
	limit  int
	policy Policy
	name   string

	// Functions for values of the topic's type. Option does not know the type,
	// so Subscribe checks it.
	filter any  // func(T) bool
	size   any  // func(T) int
	bytes  int  // the limit on the sum of sizes
	exact  bool // LimitBytes has set it
	key    any  // func(T) any
}

// Limit bounds the number of pending values, which the reader has yet to
// receive. At the limit the subscription's [Policy] decides. The default is
// [DefaultLimit]. A value below 1 counts as 1.
//
// Memory beyond the channel's buffer (128 values at most) is used only while
// values are pending in it. The topic may keep that memory for later use.
func Limit(n int) Option {
	return func(o *options) { o.limit = max(n, 1) }
}

// OnOverflow sets the policy for values that are published while the
// subscription is at its limit. The default is [Fail].
func OnOverflow(p Policy) Option {
	return func(o *options) { o.policy = p }
}

// Name sets the subscription's name in the log. The default is the file and
// line that subscribed.
func Name(name string) Option {
	return func(o *options) { o.name = name }
}

// Filter delivers only the values for which want returns true. The others take
// no room and are not counted.
//
// Publishers call want in their own goroutines, possibly several at once.
// Subscribe calls it for the replay, and publishers wait meanwhile. It must not
// use the topic or its subscriptions. A panic in it passes to the caller of
// Publish or Subscribe. The same holds for the functions of [LimitBytes] and
// [Conflate].
//
// On a topic of another type than T, the subscription that Subscribe returns is
// closed from the start, with [ErrOption].
func Filter[T any](want func(T) bool) Option {
	return func(o *options) { o.filter = want }
}

// LimitBytes bounds the sum of the sizes of the pending values, in addition to
// their number. The [Policy] decides when a value would exceed either limit.
// [DropOldest] drops as many values as needed. If no other value is pending, a
// value of any size is accepted. A negative size counts as 0.
//
// If size is nil, the size of a value is that of [Topic.PublishSized], and 0 if
// the publisher states none. These sizes are limited to [DefaultLimitBytes] in
// a subscription without LimitBytes; under [Block] the values in the channel's
// buffer, 128 at most, then do not count.
//
// The unit is that of size's result. [Stats] reports the sum. [Filter]
// describes how size is called, and the error on a topic of another type.
func LimitBytes[T any](n int, size func(T) int) Option {
	return func(o *options) {
		o.bytes, o.exact, o.size = max(n, 0), true, nil
		if size != nil {
			o.size = size
		}
	}
}

// Conflate keeps only the latest pending value of each key. A new value
// replaces the pending value of its key, at the same place in the order. The
// old value counts as dropped, and the reader cannot receive it after Publish
// has returned. If no value of its key is pending, a value goes behind all
// others. A key that does not equal itself, such as NaN, matches no other.
//
// The [Policy] decides about a value of another key at the limit, and about a
// larger value of the same key that would exceed [LimitBytes].
//
// The channel has no buffer, so that every pending value can be replaced. This
// costs a goroutine switch for each value that is published while no reader
// waits, and for each that replaces the next value to be read. [Filter]
// describes how key is called, and the error on a topic of another type.
func Conflate[T any, K comparable](key func(T) K) Option {
	return func(o *options) {
		o.key = func(v T) any {
			k := key(v)
			if k != k { // NaN, or a value that contains NaN: a map does not find it
				return new(byte)
			}
			return k
		}
	}
}

func newOptions(opts []Option) options {
	o := options{limit: DefaultLimit, bytes: DefaultLimitBytes}
	for _, opt := range opts {
		opt(&o)
	}
	return o
}

// capacity returns the size of the channel's buffer. Under Conflate there is no
// buffer, so that every pending value can be replaced. Under Block the buffer
// is smaller than the limit: at the limit the pump runs, and wakes waiting
// publishers when the reader makes room. With a limit on sizes as well there is
// no buffer, because any value can reach the limit.
func (o options) capacity() int {
	if o.key != nil || o.policy == Block && o.exact {
		return 0
	}
	if o.policy == Block {
		return min(channelCapacity, o.limit-1)
	}
	return min(channelCapacity, o.limit)
}
