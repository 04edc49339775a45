package chaos

import (
	"context"
	"errors"
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
	errs    []error    // of the waits for which a slow machine is no reason
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
	if !slow(state.Err) {
		s.errs = append(s.errs, state.Err)
	}
	if fault := checkWait(s.last, state, bounds); fault != "" {
		s.faults = append(s.faults, fault)
	}
	s.last = state
}

// slow reports whether a session or attempt can fail with err only because the
// machine is busy: one end has waited too long for the other.
func slow(err error) bool {
	var lost *conn.TransportError // the server's end of a ping timeout
	return errors.Is(err, conn.ErrPingTimeout) || errors.Is(err, context.DeadlineExceeded) || errors.As(err, &lost)
}

// failures returns the errors of the waits for which a slow machine is no
// reason.
func (s *states) failures() []error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.errs)
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
