package conn

import (
	"context"
	"runtime"
	"slices"
	"sync"
)

// A queue holds the packets that wait to be written in a session, up to a
// number of packets and of bytes. A packet that was taken counts until it is
// written.
//
// One goroutine at a time is the writer, and writes the packets in their order.
// It is the session's goroutine, or a caller whose packet found no other one
// before it. If several goroutines send, the writer first lets them run, so
// that they add to the batch.
type queue struct {
	maxCount int
	maxBytes int64

	filled chan struct{} // has a value if there is work for the session's goroutine

	mu      sync.Mutex // no other lock is taken while it is held
	items   []*outgoing
	next    *result       // of the items; nil for no items
	writing bool          // there is a writer
	shared  bool          // at the last write, packets of other callers waited
	rest    *unfinished   // the work of a caller that was the writer; nil for none
	count   int           // packets that are not written, taken ones included
	bytes   int64         // of these packets
	room    chan struct{} // closed when a packet leaves; nil if no goroutine waits
	closed  bool
}

// unfinished is a write for the session's goroutine.
type unfinished struct {
	items []*outgoing
	begun bool  // by a caller; the socket did not take all of it
	err   error // of the caller's attempt
}

func newQueue(maxCount int, maxBytes int64) *queue {
	return &queue{
		maxCount: maxCount,
		maxBytes: maxBytes,
		filled:   make(chan struct{}, 1),
	}
}

// put waits until there is room for o, ctx ends, or the queue is closed. An
// empty queue accepts a packet larger than its limits. If mayWrite is true and
// no packet waits or is being written, the caller becomes the writer, and put
// reports true.
func (q *queue) put(ctx context.Context, o *outgoing, mayWrite bool) (writer bool, err error) {
	for {
		writer, room, err := q.tryPut(o, mayWrite)
		if err != ErrNotReady {
			return writer, err
		}
		select {
		case <-room:
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
}

// tryPut is put without waiting. If there is no room, it returns ErrNotReady
// and a channel that is closed when a packet leaves.
func (q *queue) tryPut(o *outgoing, mayWrite bool) (writer bool, room <-chan struct{}, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.closed:
		return false, nil, ErrSessionLost
	case q.count > 0 && (q.count >= q.maxCount || q.bytes+o.size > q.maxBytes):
		if q.room == nil {
			q.room = make(chan struct{})
		}
		return false, q.room, ErrNotReady
	}
	q.count++
	q.bytes += o.size
	if writer = mayWrite && !q.writing && len(q.items) == 0; writer {
		q.writing = true
		if !q.shared {
			return true, nil, nil // o is written alone
		}
	}
	if q.next == nil {
		q.next = &result{done: make(chan struct{})}
	}
	o.sent = q.next
	q.items = append(q.items, o)
	if !q.writing {
		q.wakeSession() // otherwise the writer takes o
	}
	return writer, nil, nil
}

// gather returns all packets to a caller that is the writer. First it lets
// other senders add to them.
func (q *queue) gather() []*outgoing {
	q.letSendersRun()
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.takeItems()
}

// take returns the work for the session's goroutine, which becomes the writer:
// the rest of a caller's write, or all packets, in order. If there is none, or
// another writer, it returns nil.
func (q *queue) take() *unfinished {
	q.mu.Lock()
	defer q.mu.Unlock()
	if rest := q.rest; rest != nil {
		q.rest = nil
		return rest
	}
	if q.writing || len(q.items) == 0 {
		return nil
	}
	q.writing = true
	return &unfinished{items: q.takeItems()}
}

// takeAll is take for a queue that is closed. It waits until no caller is the
// writer, and returns an empty write if all packets are written.
func (q *queue) takeAll() *unfinished {
	for {
		if u := q.take(); u != nil {
			return u
		}
		q.mu.Lock()
		writing := q.writing
		q.mu.Unlock()
		if !writing {
			return &unfinished{}
		}
		<-q.filled // a caller does not block
	}
}

// letSendersRun lets other goroutines run until no further packet arrives, so
// that a batch has the packets of all goroutines that are ready to send. It
// ends when the queue is full at the latest.
func (q *queue) letSendersRun() {
	for last, now := -1, 0; now != last; {
		runtime.Gosched()
		q.mu.Lock()
		last, now = now, len(q.items)
		q.mu.Unlock()
	}
}

// wrote reports the result of a write to the senders of the packets, and makes
// room. If again is true and packets wait, it returns true, and the goroutine
// remains the writer.
func (q *queue) wrote(items []*outgoing, err error, again bool) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	var few [4]*result
	results := few[:0]
	for _, o := range items {
		q.leave(o)
		if o.sent != nil && !slices.Contains(results, o.sent) {
			results = append(results, o.sent)
		}
	}
	for _, r := range results { // from here on the packets belong to their senders
		r.err = err
		close(r.done)
	}
	q.shared = len(items) > 1 || len(q.items) > 0
	if again && len(q.items) > 0 {
		return true
	}
	q.writing = false
	if len(q.items) > 0 || q.closed {
		q.wakeSession()
	}
	return false
}

// handOver makes the session's goroutine the writer. It finishes a write of
// which the socket did not take all, or that failed with err.
func (q *queue) handOver(items []*outgoing, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	expectResult(items)
	q.rest = &unfinished{items: items, begun: true, err: err}
	q.wakeSession()
}

// putBack puts packets that the writer has not written before all others. The
// goroutine is not the writer any more.
func (q *queue) putBack(items []*outgoing) {
	q.mu.Lock()
	defer q.mu.Unlock()
	expectResult(items)
	q.items = append(slices.Clone(items), q.items...)
	q.writing = false
	q.wakeSession()
}

// expectResult prepares the packet of a caller that has tried to write it.
func expectResult(items []*outgoing) {
	for _, o := range items {
		if o.sent == nil {
			o.sent = &result{done: make(chan struct{})}
		}
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
	o.sent = nil
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
	q.wakeSenders()
}

// The methods below are called with mu held.

func (q *queue) takeItems() []*outgoing {
	items := q.items
	q.items, q.next = nil, nil
	return items
}

// leave makes room for other packets.
func (q *queue) leave(o *outgoing) {
	q.count--
	q.bytes -= o.size
	q.wakeSenders()
}

// wakeSenders wakes the goroutines that wait for room.
func (q *queue) wakeSenders() {
	if q.room != nil {
		close(q.room)
		q.room = nil
	}
}

func (q *queue) wakeSession() {
	select {
	case q.filled <- struct{}{}:
	default:
	}
}
