package chatnats

import (
	"context"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// queues passes the events of a partition to the handler: the events of a chat
// one after the other, the events of different chats at the same time. An event
// that waits for its next attempt, or a handler that hangs, delays only its
// chat. Each event is acknowledged when it is handled, so that the limit of
// unacknowledged messages applies to the open events only. The methods are
// called by the reader of the partition, except next, run and pause.
type queues struct {
	worker *worker
	ttl    time.Duration // of the pin

	mu      sync.Mutex
	changed *sync.Cond
	chats   map[string]*chatQueue // by token
	open    map[uint64]*job       // by sequence
	waiting int                   // chats whose first event waits for an attempt
	blocked chan struct{}         // closed while no event can be handled
	closed  bool                  // blocked is closed
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
	msg      jetstream.Msg // to acknowledge; nil for an event of a replay
}

func newQueues(w *worker) *queues {
	q := &queues{worker: w, ttl: w.cfg.TTL, chats: map[string]*chatQueue{}, open: map[uint64]*job{}, blocked: make(chan struct{})}
	q.changed = sync.NewCond(&q.mu)
	q.ctx, q.cancel = context.WithCancel(w.ctx)
	return q
}

// dispatch queues an event. It does not wait for the handler.
func (q *queues) dispatch(_ context.Context, d Delivery) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	j := &job{ctx: q.ctx, delivery: d}
	q.open[d.Sequence] = j
	token := tokenOf(d.ChatID)
	c := q.chats[token]
	if c == nil {
		c = &chatQueue{token: token}
		q.chats[token] = c
		q.running.Go(func() { q.run(c) }) // ends with the queue
	}
	c.queue = append(c.queue, j)
	q.look()
	return nil
}

// acknowledge acknowledges a message when its event is handled.
func (q *queues) acknowledge(msg jetstream.Msg, sequence uint64) error {
	q.mu.Lock()
	j := q.open[sequence]
	if j != nil {
		j.msg = msg
	}
	q.mu.Unlock()
	if j != nil {
		return nil
	}
	return msg.Ack()
}

// look is called with the lock held when open, chats or waiting has changed.
// The events that wait for an attempt block the partition if they are so many
// that the server delivers no other event.
func (q *queues) look() {
	blocked := len(q.open) >= unacknowledged && q.waiting == len(q.chats)
	switch {
	case blocked && !q.closed:
		close(q.blocked)
	case !blocked && q.closed:
		q.blocked = make(chan struct{})
	}
	q.closed = blocked
}

// pause waits for the delay before the next attempt at an event, but only for
// limit if the partition is blocked. It returns false if ctx ends before that.
func (q *queues) pause(ctx context.Context, delay, limit time.Duration) bool {
	q.wait(1)
	defer q.wait(-1)
	first := min(delay, limit)
	select {
	case <-time.After(first):
	case <-ctx.Done():
		return false
	}
	q.mu.Lock()
	blocked := q.blocked
	q.mu.Unlock()
	select {
	case <-time.After(delay - first):
	case <-blocked:
	case <-ctx.Done():
		return false
	}
	return true
}

func (q *queues) wait(change int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting += change
	q.look()
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
	q.open, q.sure = map[uint64]*job{}, time.Time{}
	q.look()
	q.ctx, q.cancel = context.WithCancel(q.worker.ctx)
}

// drain drops the queued events, and waits for the running handlers.
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
		q.look()
		return nil
	}
	j := c.queue[0]
	c.queue = c.queue[1:]
	return j
}

func (q *queues) run(c *chatQueue) {
	for j := q.next(c); j != nil; j = q.next(c) {
		if q.worker.finish(q, j) {
			q.done(j)
		}
	}
}

// done acknowledges the message of a job. After revoke it does not: another
// worker handles the event again.
func (q *queues) done(j *job) {
	q.mu.Lock()
	var msg jetstream.Msg
	if q.open[j.delivery.Sequence] == j {
		delete(q.open, j.delivery.Sequence)
		msg = j.msg
	}
	q.look()
	q.mu.Unlock()
	if msg == nil {
		return
	}
	// On failure, the message is delivered again and acknowledged then.
	_ = msg.Ack()
}
