package bus

import "sync"

// chunkSize is how many values one allocation of an overflow holds. Chunks of
// one size cost the same however long the queue is; a slice that doubles
// would stall its publisher with ever longer copies.
const chunkSize = 256

// An overflow is a first-in, first-out queue in a list of chunks. It is empty
// and holds no memory as newOverflow returns it.
type chunkQueue[T any] struct {
	pool        *sync.Pool // of *chunk[T] without values: what a flood leaves, the next one uses
	head, tail  *chunk[T]
	first, next int // the oldest value's index in head, the free slot's in tail
	size        int
}

type chunk[T any] struct {
	values [chunkSize]T
	after  *chunk[T]
}

// pools are what the overflows of a topic's subscriptions share.
type pools struct{ values, marks, keys sync.Pool }

func newChunkQueue[T any](pool *sync.Pool) chunkQueue[T] { return chunkQueue[T]{pool: pool} }

// push puts a copy of *v behind all others. A pointer, because a large value
// would be copied for the call as well.
func (o *chunkQueue[T]) push(v *T) {
	switch {
	case o.tail == nil:
		o.head = o.chunk()
		o.tail = o.head
	case o.next == chunkSize:
		o.tail.after = o.chunk()
		o.tail = o.tail.after
		o.next = 0
	}
	o.tail.values[o.next] = *v
	o.next++
	o.size++
}

func (o *chunkQueue[T]) chunk() *chunk[T] {
	if c, ok := o.pool.Get().(*chunk[T]); ok {
		return c
	}
	return new(chunk[T])
}

// front returns the oldest value. The queue must not be empty.
func (o *chunkQueue[T]) front() *T { return &o.head.values[o.first] }

// back returns the newest value. The queue must not be empty.
func (o *chunkQueue[T]) back() *T { return &o.tail.values[o.next-1] }

// run returns the oldest values, as many as are side by side. The queue must not
// be empty.
func (o *chunkQueue[T]) run() []T {
	return o.head.values[o.first:min(o.first+o.size, chunkSize)]
}

// pop removes the n oldest values and leaves no trace of them. They must be
// within run.
func (o *chunkQueue[T]) pop(n int) {
	clear(o.head.values[o.first : o.first+n])
	o.first += n
	o.size -= n
	switch {
	case o.size == 0: // one chunk is left, and is filled again
		o.first, o.next = 0, 0
	case o.first == chunkSize:
		c := o.head
		o.head, o.first = c.after, 0
		c.after = nil
		o.pool.Put(c)
	}
}

// clear removes all values and lets go of the memory.
func (o *chunkQueue[T]) clear() {
	if o.size == 0 && o.head != nil {
		o.pool.Put(o.head)
	}
	*o = newChunkQueue[T](o.pool)
}
