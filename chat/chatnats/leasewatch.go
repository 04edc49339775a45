package chatnats

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// leaseWatch reports changes of leases to the instances that wait for them. All
// leases of a Bus share one watcher of the bucket, which exists while an
// instance waits. It may miss a change, so an instance that receives none for
// the TTL reads the key.
type leaseWatch struct {
	mu      sync.Mutex
	waiting map[string][]chan leaseChange // by key
	stop    func()                        // ends the watcher; nil without one
}

// A leaseChange is a write of a lease's key.
type leaseChange struct {
	sequence uint64
	removed  bool // the key was released or removed
}

// add registers a waiting instance. The channel has the newest change.
func (w *leaseWatch) add(b *bucket, key string) (changed <-chan leaseChange, remove func()) {
	ch := make(chan leaseChange, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.waiting == nil {
		w.waiting = map[string][]chan leaseChange{}
	}
	w.waiting[key] = append(w.waiting[key], ch)
	if w.stop == nil {
		ctx, cancel := context.WithCancel(context.Background())
		var watching sync.WaitGroup
		watching.Go(func() { w.watch(ctx, b) }) // ends with stop
		w.stop = func() {
			cancel()
			watching.Wait()
		}
	}
	return ch, func() { w.remove(key, ch) }
}

func (w *leaseWatch) remove(key string, ch chan leaseChange) {
	w.mu.Lock()
	if w.waiting[key] = slices.DeleteFunc(w.waiting[key], func(c chan leaseChange) bool { return c == ch }); len(w.waiting[key]) == 0 {
		delete(w.waiting, key)
	}
	var stop func()
	if len(w.waiting) == 0 {
		stop, w.stop = w.stop, nil
	}
	w.mu.Unlock()
	if stop != nil {
		stop()
	}
}

func (w *leaseWatch) watch(ctx context.Context, b *bucket) {
	for ctx.Err() == nil {
		if watcher, err := b.Watch(ctx, leaseKey("*"), jetstream.UpdatesOnly()); err == nil {
			w.reportUpdates(ctx, watcher.Updates())
		}
		select {
		case <-time.After(longPause):
		case <-ctx.Done():
		}
	}
}

// reportUpdates returns when updates is closed or ctx ends. The library may
// leave updates open if ctx ends while it subscribes.
func (w *leaseWatch) reportUpdates(ctx context.Context, updates <-chan jetstream.KeyValueEntry) {
	for {
		select {
		case entry, ok := <-updates:
			if !ok {
				return
			}
			if entry != nil {
				w.report(entry.Key(), leaseChange{entry.Revision(), entry.Operation() != jetstream.KeyValuePut})
			}
		case <-ctx.Done():
			return
		}
	}
}

func (w *leaseWatch) report(key string, change leaseChange) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, ch := range w.waiting[key] {
		select {
		case <-ch: // an older change
		default:
		}
		ch <- change
	}
}
