package bus

// chunkSize is how many values one allocation of an overflow holds. Chunks of
// one size cost the same however long the queue is; a slice that doubles
// would stall its publisher with ever longer copies.
const chunkSize = 256

// An overflow is a first-in, first-out queue in a list of chunks. The zero
// overflow is empty and holds no memory.
type overflow[T any] struct {
	head, tail  *chunk[T]
	spare       *chunk[T] // one emptied chunk, so that a queue in balance allocates nothing
	first, next int       // the oldest value's index in head, the free slot's in tail
	size        int
}

type chunk[T any] struct {
	values [chunkSize]T
	after  *chunk[T]
}

func (o *overflow[T]) push(v T) {
	switch {
	case o.tail == nil:
		o.head = new(chunk[T])
		o.tail = o.head
	case o.next == chunkSize:
		c := o.spare
		if c == nil {
			c = new(chunk[T])
		}
		o.spare = nil
		o.tail.after = c
		o.tail = c
		o.next = 0
	}
	o.tail.values[o.next] = v
	o.next++
	o.size++
}

// front returns the oldest value. The queue must not be empty.
func (o *overflow[T]) front() *T { return &o.head.values[o.first] }

// back returns the newest value. The queue must not be empty.
func (o *overflow[T]) back() *T { return &o.tail.values[o.next-1] }

// pop removes the oldest value and leaves no trace of it. The queue must not
// be empty.
func (o *overflow[T]) pop() {
	var zero T
	o.head.values[o.first] = zero
	o.first++
	o.size--
	switch {
	case o.size == 0: // one chunk is left, and is filled again
		o.first, o.next = 0, 0
	case o.first == chunkSize:
		c := o.head
		o.head, o.first = c.after, 0
		c.after = nil
		o.spare = c
	}
}
