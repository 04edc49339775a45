package bus

import "fmt"

// A Policy says what becomes of a value that finds a subscription at its
// limit.
type Policy int

const (
	// Fail ends the subscription: what it holds is still delivered, then its
	// channel closes and its error is [ErrSlowConsumer]. The value is dropped.
	Fail Policy = iota

	// Block makes the publisher wait until there is room, the subscription
	// ends or the publisher's context does. The value reaches every other
	// subscription first.
	Block

	// DropOldest drops the oldest value that waits, to make room.
	DropOldest

	// DropNewest drops the value that came.
	DropNewest
)

// String returns the policy's name.
func (p Policy) String() string {
	switch p {
	case Fail:
		return "Fail"
	case Block:
		return "Block"
	case DropOldest:
		return "DropOldest"
	case DropNewest:
		return "DropNewest"
	}
	return fmt.Sprintf("Policy(%d)", int(p))
}
