package bus

import "fmt"

// A Policy decides what happens when a value is published and a subscription is
// at its limit.
type Policy int

const (
	// Fail drops the value and ends the subscription with [ErrSlowConsumer].
	// Its pending values are still delivered before the channel closes.
	Fail Policy = iota

	// Block makes the publisher wait until there is room, the subscription
	// ends or the publisher's context ends. Every other subscription gets the
	// value first. A topic with [Topic.NoBlock] does not allow it.
	Block

	// DropOldest drops the oldest pending value to make room.
	DropOldest

	// DropNewest drops the published value.
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
