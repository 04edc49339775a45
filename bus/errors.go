package bus

import "errors"

// What [Subscription.Err] returns besides the error of the subscription's
// context.
var (
	// ErrClosed says that the subscription or its topic was closed.
	ErrClosed = errors.New("bus: closed")

	// ErrSlowConsumer says that a subscription under [Fail] was at its limit
	// when another value came.
	ErrSlowConsumer = errors.New("bus: slow consumer")

	// ErrOption says that an option of the subscription has a function for
	// values of another type than the topic's.
	ErrOption = errors.New("bus: option for another type")
)
