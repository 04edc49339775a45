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
	busy  bool // there is a goroutine
}

// A job is an event to handle.
type job struct {
	ctx      context.Context // when it ends, there is no further attempt
	delivery Delivery
	done     bool
}

func newQueues(w *worker) *queues {
	l := &queues{worker: w, ttl: w.cfg.TTL, chats: map[string]*chatQueue{}}
	l.changed = sync.NewCond(&l.mu)
	l.ctx, l.cancel = context.WithCancel(w.ctx)
	return l
}

// dispatch queues an event. It does not wait for the handler.
func (l *queues) dispatch(_ context.Context, d Delivery) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	j := &job{ctx: l.ctx, delivery: d}
	l.open = append(l.open, j)
	token := tokenOf(d.ChatID)
	at := l.chats[token]
	if at == nil {
		at = &chatQueue{token: token}
		l.chats[token] = at
	}
	at.queue = append(at.queue, j)
	if !at.busy {
		at.busy = true
		l.running.Go(func() { l.run(at) }) // ends with the queue
	}
	return nil
}

// settled returns the last sequence of which no earlier event is open.
func (l *queues) settled() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for n < len(l.open) && l.open[n].done {
		n++
	}
	if l.open = l.open[n:]; len(l.open) == 0 {
		l.open = nil
		return math.MaxUint64
	}
	first := l.open[0].delivery.Sequence
	for _, j := range l.open { // a replay has earlier events
		if !j.done {
			first = min(first, j.delivery.Sequence)
		}
	}
	return first - 1
}

// pending reports whether there are events to handle.
func (l *queues) pending() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.chats) > 0
}

// confirm records that the reader was pinned at a time.
func (l *queues) confirm(sure time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sure = sure
	l.changed.Broadcast()
}

// revoke drops the queued events: another reader may be pinned. A running
// handler finishes its event.
func (l *queues) revoke() {
	l.stop()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open, l.sure = nil, time.Time{}
	l.ctx, l.cancel = context.WithCancel(l.worker.ctx)
}

// drain drops the queued events, and waits for the running handlers. The next
// call must be settled or revoke.
func (l *queues) drain() {
	l.stop()
	l.running.Wait()
}

func (l *queues) stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cancel()
	for _, at := range l.chats {
		at.queue = nil
	}
	l.changed.Broadcast()
}

// next waits until the next job of a chat may start, and returns it, or nil if
// there is none.
func (l *queues) next(at *chatQueue) *job {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(at.queue) > 0 && time.Since(l.sure) >= l.ttl/2 {
		l.changed.Wait() // for confirm or stop
	}
	if len(at.queue) == 0 {
		at.busy = false
		delete(l.chats, at.token)
		return nil
	}
	j := at.queue[0]
	at.queue = at.queue[1:]
	return j
}

func (l *queues) run(at *chatQueue) {
	for j := l.next(at); j != nil; j = l.next(at) {
		if !l.worker.finish(j.ctx, j.delivery) {
			continue
		}
		l.mu.Lock()
		j.done = true
		l.mu.Unlock()
	}
}
