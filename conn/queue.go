package conn

import (
	"context"
	"slices"
	"sync"
)

// A queue holds the packets that wait to be written in a session, up to a
// number of packets and of bytes. A packet that was taken counts until it is
// written.
type queue struct {
	maxCount int
	maxBytes int64

	filled chan struct{} // has a value if there are packets to take

	mu     sync.Mutex // no other lock is taken while it is held
	items  []*outgoing
	count  int           // packets that are not written, taken ones included
	bytes  int64         // of these packets
	room   chan struct{} // closed and replaced when a packet leaves
	closed bool
}

// outgoing is a packet to write: its text and its attachments.
type outgoing struct {
	messages []Message
	size     int64
	written  chan error // capacity 1: the result of the write
}

func newQueue(maxCount int, maxBytes int64) *queue {
	return &queue{
		maxCount: maxCount,
		maxBytes: maxBytes,
		filled:   make(chan struct{}, 1),
		room:     make(chan struct{}),
	}
}

// put waits until there is room for o, ctx ends, or the queue is closed. An
// empty queue accepts a packet larger than its limits.
func (q *queue) put(ctx context.Context, o *outgoing) error {
	for {
		room, err := q.tryPut(o)
		if err != ErrNotReady {
			return err
		}
		select {
		case <-room:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// tryPut is put without waiting. If there is no room, it returns ErrNotReady
// and a channel that is closed when a packet leaves.
func (q *queue) tryPut(o *outgoing) (room <-chan struct{}, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.closed:
		return nil, ErrSessionLost
	case q.count > 0 && (q.count >= q.maxCount || q.bytes+o.size > q.maxBytes):
		return q.room, ErrNotReady
	}
	q.items = append(q.items, o)
	q.count++
	q.bytes += o.size
	select {
	case q.filled <- struct{}{}:
	default:
	}
	return nil, nil
}

// take removes and returns all packets, in order.
func (q *queue) take() []*outgoing {
	q.mu.Lock()
	defer q.mu.Unlock()
	items := q.items
	q.items = nil
	return items
}

// written reports the result of a write to the senders of the packets, and
// makes room.
func (q *queue) written(items []*outgoing, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, o := range items {
		o.written <- err
		q.leave(o)
	}
}

// withdraw removes o, and reports whether it was still in the queue.
func (q *queue) withdraw(o *outgoing) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	i := slices.Index(q.items, o)
	if i < 0 {
		return false
	}
	q.items = slices.Delete(q.items, i, i+1)
	q.leave(o)
	return true
}

// waiting returns the packets and bytes that are not written yet.
func (q *queue) waiting() (packets int, bytes int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.count, q.bytes
}

// close rejects further packets. Packets in the queue are lost; their senders
// detect that by withdraw.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.wake()
}

// leave makes room for other packets; q.mu is held.
func (q *queue) leave(o *outgoing) {
	q.count--
	q.bytes -= o.size
	q.wake()
}

func (q *queue) wake() {
	close(q.room)
	q.room = make(chan struct{})
}
