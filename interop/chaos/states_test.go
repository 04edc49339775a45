package chaos

import (
	"fmt"
	"sync"
	"time"

	"github.com/seed67206a74/parley/conn"
)

// states are those that a client has gone through.
type states struct {
	mu  sync.Mutex
	all []conn.State
}

func (s *states) take(state conn.State) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, state)
}

func (s *states) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.all)
}

// waits returns the times of waiting among the states from the given one on.
func (s *states) waits(from int) []conn.State {
	s.mu.Lock()
	defer s.mu.Unlock()
	var waits []conn.State
	for _, state := range s.all[from:] {
		if state.Phase == conn.Waiting {
			waits = append(waits, state)
		}
	}
	return waits
}

// checkWaits reports each wait that is not what the policy allows.
func checkWaits(waits []conn.State, bounds func(attempt int) (low, high time.Duration)) (faults []string) {
	before := 0
	for _, w := range waits {
		if w.Attempt != 1 && w.Attempt != before+1 {
			faults = append(faults, fmt.Sprintf("attempt %d follows %d", w.Attempt, before))
		}
		before = w.Attempt
		low, high := bounds(w.Attempt)
		if w.Delay < low || w.Delay > high {
			faults = append(faults, fmt.Sprintf("attempt %d after %v, not %v to %v", w.Attempt, w.Delay, low, high))
		}
	}
	return faults
}

// bounds returns the shortest and the longest wait that the policy of these
// tests allows before an attempt.
func bounds(attempt int) (low, high time.Duration) {
	return boundsOf(policy.InitialInterval, policy.MaxInterval, attempt)
}

// boundsOf does so for a policy that doubles its interval, half of which is
// jitter, both ways.
func boundsOf(initial, highest time.Duration, attempt int) (low, high time.Duration) {
	interval := initial
	for range attempt - 1 {
		interval = min(2*interval, highest)
	}
	return interval / 2, interval*3/2 + 1
}
