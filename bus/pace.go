package bus

import (
	"context"
	"time"
)

// WaitForReaders waits until each subscription under [Fail] has at least half
// of its limit free, or until ctx ends. A publisher calls it while it publishes
// a large batch that it has already received, so that readers that keep up do
// not fail. Subscriptions with another policy are not waited for.
func (t *Topic[T]) WaitForReaders(ctx context.Context) {
	var timer *time.Timer // checking takes a lock of each subscription only
	for t.isBehind() {
		if timer == nil {
			timer = time.NewTimer(time.Millisecond)
			defer timer.Stop()
		} else {
			timer.Reset(time.Millisecond)
		}
		select {
		case <-timer.C:
		case <-ctx.Done():
			return
		}
	}
}

// isBehind reports whether a subscription under Fail has more than half of its
// limit pending.
func (t *Topic[T]) isBehind() bool {
	for subs := t.subs.Load(); subs != nil; subs = subs.next.Load() {
		s := subs.s
		if s.options.policy != Fail {
			continue
		}
		s.mu.Lock()
		behind := s.state&ended == 0 && s.pending() > s.options.limit/2
		s.mu.Unlock()
		if behind {
			return true
		}
	}
	return false
}
