package bus

import (
	"context"
	"fmt"
	"log/slog"
	"reflect"
	"runtime"
	"strings"
)

// A SlowEvent reports to [Topic.OnSlow] that a subscription has become slow or
// has caught up.
type SlowEvent struct {
	Topic        string // its name
	Subscription string // its name, or the file and line that subscribed
	Policy       Policy
	Limit        int

	// CaughtUp is false when a value is published while the subscription is at
	// its limit. It is true when a later value is published while no other is
	// pending.
	CaughtUp bool

	// Stats are the subscription's counts at that moment. Pending may be one
	// too high and Delivered one too low, because the subscription has yet to
	// notice the last receive.
	Stats Stats
}

// A transition is a change between slow and caught up, with the counts at that
// moment. It is recorded under the subscription's lock and reported outside.
type transition struct {
	caughtUp bool
	stats    Stats
}

// recordTransition queues a transition for notify. The caller holds mu.
func (s *Subscription[T]) recordTransition(caughtUp bool) {
	s.transitions = append(s.transitions, transition{caughtUp, s.count()})
}

// notify reports the queued transitions, one after the other in their order. If
// a call of notify is running, in another publisher or because the logger or
// OnSlow publishes, that call reports them.
func (s *Subscription[T]) notify() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.notifying {
		return
	}
	s.notifying = true
	defer func() { s.notifying = false }()
	for len(s.transitions) > 0 {
		t := s.transitions[0]
		s.transitions = s.transitions[1:]
		s.notifyOne(t)
	}
	s.transitions = nil
}

// notifyOne passes a transition to the logger and to OnSlow. It releases mu
// meanwhile.
func (s *Subscription[T]) notifyOne(t transition) {
	s.mu.Unlock()
	defer s.mu.Lock()
	level, message := slog.LevelWarn, "bus: slow subscription is at its limit"
	if t.caughtUp {
		level, message = slog.LevelInfo, "bus: subscription has caught up"
	}
	logger := s.topic.Logger
	if logger == nil {
		logger = slog.Default()
	}
	name := s.options.name
	if name == "" {
		name = callSite(s.callers)
	}
	logger.LogAttrs(context.Background(), level, message,
		slog.String("topic", s.topic.Name),
		slog.String("subscription", name),
		slog.String("policy", s.options.policy.String()),
		slog.Int("limit", s.options.limit),
		slog.Int("pending", t.stats.Pending),
		slog.Uint64("dropped", t.stats.Dropped))
	if hook := s.topic.OnSlow; hook != nil {
		hook(SlowEvent{
			Topic:        s.topic.Name,
			Subscription: name,
			Policy:       s.options.policy,
			Limit:        s.options.limit,
			CaughtUp:     t.caughtUp,
			Stats:        t.stats,
		})
	}
}

// callSite returns the file and line of the first frame outside this package.
func callSite(callers []uintptr) string {
	inside := reflect.TypeFor[Option]().PkgPath() + "."
	frames := runtime.CallersFrames(callers)
	for {
		frame, more := frames.Next()
		if !strings.HasPrefix(frame.Function, inside) {
			return fmt.Sprintf("%s:%d", frame.File, frame.Line)
		}
		if !more {
			return "unknown"
		}
	}
}
