package chaos

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/seed67206a74/parley/conn"
)

// states records the states of a client, and checks its waits against the
// policy.
type states struct {
	mu      sync.Mutex
	changes int
	waits   int
	last    conn.State // the last state with the phase Waiting
	faults  []string
}

func (s *states) take(state conn.State) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changes++
	if state.Phase != conn.Waiting {
		return
	}
	s.waits++
	if fault := checkWait(s.last, state, bounds); fault != "" {
		s.faults = append(s.faults, fault)
	}
	s.last = state
}

// count returns the number of states, and of states with the phase Waiting.
func (s *states) count() (changes, waits int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changes, s.waits
}

// wrong returns the waits that violate the policy.
func (s *states) wrong() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.faults)
}

// checkWait returns the fault of a wait, or "". before is the wait before it.
func checkWait(before, wait conn.State, bounds func(attempt int) (low, high time.Duration)) string {
	low, high := bounds(wait.Attempt)
	switch {
	case wait.Attempt != 1 && wait.Attempt != before.Attempt+1:
		return fmt.Sprintf("attempt %d follows %d", wait.Attempt, before.Attempt)
	case wait.Delay < low || wait.Delay > high:
		return fmt.Sprintf("attempt %d after %v, not %v to %v", wait.Attempt, wait.Delay, low, high)
	}
	return ""
}

// bounds returns the shortest and the longest wait that the policy of these
// tests allows before an attempt.
func bounds(attempt int) (low, high time.Duration) {
	return boundsOf(policy.InitialInterval, policy.MaxInterval, attempt)
}

// boundsOf returns the bounds of a policy that doubles its interval, with a
// jitter of half the interval in both directions.
func boundsOf(initial, highest time.Duration, attempt int) (low, high time.Duration) {
	interval := initial
	for range attempt - 1 {
		interval = min(2*interval, highest)
	}
	return interval / 2, interval*3/2 + 1
}
