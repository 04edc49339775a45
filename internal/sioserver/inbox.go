package sioserver

import "sync"

// An inbox holds the received events of a socket until its goroutine handles
// them.
type inbox struct {
	mu     sync.Mutex
	steps  []func()
	closed bool
	wake   chan struct{} // of capacity 1
}

func newInbox() inbox { return inbox{wake: make(chan struct{}, 1)} }

func (i *inbox) put(step func()) {
	i.mu.Lock()
	if !i.closed {
		i.steps = append(i.steps, step)
	}
	i.mu.Unlock()
	i.stir()
}

// close makes work return once all steps are done.
func (i *inbox) close() {
	i.mu.Lock()
	i.closed = true
	i.mu.Unlock()
	i.stir()
}

func (i *inbox) stir() {
	select {
	case i.wake <- struct{}{}:
	default: // work looks anyway
	}
}

// work runs the steps one after the other until the inbox is closed and empty.
func (i *inbox) work() {
	for {
		i.mu.Lock()
		steps, closed := i.steps, i.closed
		i.steps = nil
		i.mu.Unlock()
		for _, step := range steps {
			step()
		}
		switch {
		case len(steps) > 0:
		case closed:
			return
		default:
			<-i.wake
		}
	}
}
