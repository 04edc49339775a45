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

	// Stats are the subscription's counts at that moment.
	Stats Stats
}

// recordTransition queues an event for notify. The caller holds mu, and the
// pump is settled.
func (s *Subscription[T]) recordTransition(caughtUp bool) {
	s.transitions = append(s.transitions, SlowEvent{
		Topic:        s.topic.Name,
		Subscription: s.name(),
		Policy:       s.options.policy,
		Limit:        s.options.limit,
		CaughtUp:     caughtUp,
		Stats:        s.count(),
	})
}

// notify reports the queued events, one after the other in their order. If a
// call of notify is running, in another publisher or because the logger or
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
		e := s.transitions[0]
		s.transitions = s.transitions[1:]
		s.notifyOne(e)
	}
	s.transitions = nil
}

// notifyOne passes an event to the logger and to OnSlow. It releases mu
// meanwhile.
func (s *Subscription[T]) notifyOne(e SlowEvent) {
	s.mu.Unlock()
	defer s.mu.Lock()
	level, message := slog.LevelWarn, "bus: slow subscription is at its limit"
	if e.CaughtUp {
		level, message = slog.LevelInfo, "bus: subscription has caught up"
	}
	logger := s.topic.Logger
	if logger == nil {
		logger = slog.Default()
	}
	logger.LogAttrs(context.Background(), level, message,
		slog.String("topic", e.Topic),
		slog.String("subscription", e.Subscription),
		slog.String("policy", e.Policy.String()),
		slog.Int("limit", e.Limit),
		slog.Int("pending", e.Stats.Pending),
		slog.Uint64("dropped", e.Stats.Dropped))
	if s.topic.OnSlow != nil {
		s.topic.OnSlow(e)
	}
}

// name returns the subscription's name, or the file and line that subscribed.
func (s *Subscription[T]) name() string {
	if s.options.name != "" {
		return s.options.name
	}
	return callSite(s.callers)
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
