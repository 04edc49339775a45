package bus

import "sync"

// chunkSize is the number of values in one allocation of a chunkQueue. Chunks
// of one size cost the same however long the queue is. A slice that doubles
// stalls its publisher with ever longer copies.
const chunkSize = 256

// A chunkQueue is a first-in, first-out queue in a list of chunks. A new one is
// empty and holds no memory.
type chunkQueue[T any] struct {
	pool        *sync.Pool // of emptied *chunk[T], for reuse
	head, tail  *chunk[T]
	first, next int // the oldest value's index in head, the free slot's in tail
	size        int
}

type chunk[T any] struct {
	values [chunkSize]T
	after  *chunk[T]
}

// pools hold the emptied chunks that a topic's subscriptions share.
type pools struct{ values, infos sync.Pool }

func newChunkQueue[T any](pool *sync.Pool) chunkQueue[T] { return chunkQueue[T]{pool: pool} }

// push appends a copy of *v. It takes a pointer to avoid another copy of a
// large value for the call.
func (q *chunkQueue[T]) push(v *T) {
	switch {
	case q.tail == nil:
		q.head = q.chunk()
		q.tail = q.head
	case q.next == chunkSize:
		q.tail.after = q.chunk()
		q.tail = q.tail.after
		q.next = 0
	}
	q.tail.values[q.next] = *v
	q.next++
	q.size++
}

func (q *chunkQueue[T]) chunk() *chunk[T] {
	if c, ok := q.pool.Get().(*chunk[T]); ok {
		return c
	}
	return new(chunk[T])
}

// front returns the oldest value. The queue must not be empty.
func (q *chunkQueue[T]) front() *T { return &q.head.values[q.first] }

// back returns the newest value. The queue must not be empty.
func (q *chunkQueue[T]) back() *T { return &q.tail.values[q.next-1] }

// run returns the oldest values, as many as are adjacent in memory. The queue
// must not be empty.
func (q *chunkQueue[T]) run() []T {
	return q.head.values[q.first:min(q.first+q.size, chunkSize)]
}

// pop removes the n oldest values and zeroes their slots. They must be within
// run.
func (q *chunkQueue[T]) pop(n int) {
	clear(q.head.values[q.first : q.first+n])
	q.first += n
	q.size -= n
	switch {
	case q.size == 0: // one chunk is left and is filled again
		q.first, q.next = 0, 0
	case q.first == chunkSize:
		c := q.head
		q.head, q.first = c.after, 0
		c.after = nil
		q.pool.Put(c)
	}
}

// clear removes all values and releases the memory.
func (q *chunkQueue[T]) clear() {
	if q.size == 0 && q.head != nil {
		q.pool.Put(q.head)
	}
	*q = newChunkQueue[T](q.pool)
}
