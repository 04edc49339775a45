package bus

import (
	"context"
	"fmt"
	"log/slog"
	"reflect"
	"runtime"
	"strings"
)

// An edge is a change in how well a subscription keeps up, with the counts at
// that moment. It is found under the subscription's lock and told outside.
type transition struct {
	caughtUp bool
	stats    Stats
}

// edge notes an edge for tell. The caller holds mu.
func (s *Subscription[T]) recordTransition(caughtUp bool) {
	s.transitions = append(s.transitions, transition{caughtUp, s.count()})
}

// tell tells the edges, one after the other in their order. A publisher that
// comes while another is at it leaves its edge to that one; so does a publisher
// that is called by the log or by OnSlow.
func (s *Subscription[T]) notify() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.telling {
		return
	}
	s.telling = true
	defer func() { s.telling = false }()
	for len(s.transitions) > 0 {
		e := s.transitions[0]
		s.transitions = s.transitions[1:]
		s.notifyOne(e)
	}
	s.transitions = nil
}

// tellEdge gives an edge to the log and to OnSlow. It releases mu meanwhile.
func (s *Subscription[T]) notifyOne(e transition) {
	s.mu.Unlock()
	defer s.mu.Lock()
	level, message := slog.LevelWarn, "bus: slow subscription is at its limit"
	if e.caughtUp {
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
		slog.Int("pending", e.stats.Pending),
		slog.Uint64("dropped", e.stats.Dropped))
	if hook := s.topic.OnSlow; hook != nil {
		hook(SlowEvent{
			Topic:        s.topic.Name,
			Subscription: name,
			Policy:       s.options.policy,
			Limit:        s.options.limit,
			CaughtUp:     e.caughtUp,
			Stats:        e.stats,
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
