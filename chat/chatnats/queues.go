package chatnats

import (
	"context"
	"math"
	"sync"
	"time"
)

// queues passes the events of a partition to the handler: the events of a chat
// one after the other, the events of different chats at the same time. An event
// that waits for its next attempt, or a handler that hangs, delays only its
// chat. The methods are called by the reader of the partition, except next and
// run.
type queues struct {
	worker *worker
	ttl    time.Duration // of the pin

	mu      sync.Mutex
	changed *sync.Cond
	chats   map[string]*chatQueue // by token
	open    []*job                // from the first open one on, in order
	sure    time.Time             // when the reader was last known to be pinned
	running sync.WaitGroup        // of the goroutines of chats

	ctx    context.Context // of the jobs; ends when the reader is no longer pinned
	cancel context.CancelFunc
}

// A chatQueue has the jobs of a chat. Its goroutine exists while there are any.
type chatQueue struct {
	token string
	queue []*job
}

// A job is an event to handle.
type job struct {
	ctx      context.Context // when it ends, there is no further attempt
	delivery Delivery
	done     bool
}

func newQueues(w *worker) *queues {
	q := &queues{worker: w, ttl: w.cfg.TTL, chats: map[string]*chatQueue{}}
	q.changed = sync.NewCond(&q.mu)
	q.ctx, q.cancel = context.WithCancel(w.ctx)
	return q
}

// dispatch queues an event. It does not wait for the handler.
func (q *queues) dispatch(_ context.Context, d Delivery) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	j := &job{ctx: q.ctx, delivery: d}
	q.open = append(q.open, j)
	token := tokenOf(d.ChatID)
	c := q.chats[token]
	if c == nil {
		c = &chatQueue{token: token}
		q.chats[token] = c
		q.running.Go(func() { q.run(c) }) // ends with the queue
	}
	c.queue = append(c.queue, j)
	return nil
}

// settled returns the last sequence of which no earlier event is open.
func (q *queues) settled() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := 0
	for n < len(q.open) && q.open[n].done {
		n++
	}
	if q.open = q.open[n:]; len(q.open) == 0 {
		q.open = nil
		return math.MaxUint64
	}
	first := q.open[0].delivery.Sequence
	for _, j := range q.open { // a replay has earlier events
		if !j.done {
			first = min(first, j.delivery.Sequence)
		}
	}
	return first - 1
}

// pending reports whether there are events to handle.
func (q *queues) pending() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.chats) > 0
}

// confirm records that the reader was pinned at a time.
func (q *queues) confirm(sure time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.sure = sure
	q.changed.Broadcast()
}

// revoke drops the queued events: another reader may be pinned. A running
// handler finishes its event.
func (q *queues) revoke() {
	q.stop()
	q.mu.Lock()
	defer q.mu.Unlock()
	q.open, q.sure = nil, time.Time{}
	q.ctx, q.cancel = context.WithCancel(q.worker.ctx)
}

// drain drops the queued events, and waits for the running handlers. The next
// call must be settled or revoke.
func (q *queues) drain() {
	q.stop()
	q.running.Wait()
}

func (q *queues) stop() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.cancel()
	for _, c := range q.chats {
		c.queue = nil
	}
	q.changed.Broadcast()
}

// next waits until the next job of a chat may start, and returns it, or nil if
// there is none.
func (q *queues) next(c *chatQueue) *job {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(c.queue) > 0 && time.Since(q.sure) >= q.ttl/2 {
		q.changed.Wait() // for confirm or stop
	}
	if len(c.queue) == 0 {
		delete(q.chats, c.token)
		return nil
	}
	j := c.queue[0]
	c.queue = c.queue[1:]
	return j
}

func (q *queues) run(c *chatQueue) {
	for j := q.next(c); j != nil; j = q.next(c) {
		if !q.worker.finish(j.ctx, j.delivery) {
			continue
		}
		q.mu.Lock()
		j.done = true
		q.mu.Unlock()
	}
}
