package chattest

import (
	"context"
	"sync"
)

// An inbox holds what a client has sent until it is dealt with, one after the
// other. The library must not be held up: it would not bring the acknowledgement
// that a Handler may be waiting for.
type inbox struct {
	mu     sync.Mutex
	steps  []func()
	closed bool
	wake   chan struct{} // of capacity 1: there is something new, or nothing will be
}

func newInbox() *inbox { return &inbox{wake: make(chan struct{}, 1)} }

func (i *inbox) put(step func()) {
	i.mu.Lock()
	i.steps = append(i.steps, step)
	i.mu.Unlock()
	i.stir()
}

// close lets next return false, once everything is done.
func (i *inbox) close() {
	i.mu.Lock()
	i.closed = true
	i.mu.Unlock()
	i.stir()
}

func (i *inbox) stir() {
	select {
	case i.wake <- struct{}{}:
	default: // next will look anyway
	}
}

// work does what is put in until the inbox is closed and empty, or ctx ends.
func (i *inbox) work(ctx context.Context) {
	for ctx.Err() == nil {
		i.mu.Lock()
		steps, closed := i.steps, i.closed
		i.steps = nil
		i.mu.Unlock()
		for _, step := range steps {
			if ctx.Err() == nil {
				step()
			}
		}
		switch {
		case len(steps) > 0:
		case closed:
			return
		default:
			select {
			case <-i.wake:
			case <-ctx.Done():
			}
		}
	}
}
