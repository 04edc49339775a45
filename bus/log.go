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
// that moment. It is found under the subscription's lock and logged outside.
type edge struct {
	change change
	stats  Stats
	ended  bool // the subscription failed by it
}

type change uint8

const (
	unchanged change = iota
	fellBehind
	caughtUp
)

func (s *Subscription[T]) edgeLocked(c change) edge {
	stats := s.count()
	stats.Pending = min(stats.Pending, s.options.limit)
	return edge{c, stats, s.state&ended != 0}
}

// tell gives the edge to the log and to OnSlow.
func (s *Subscription[T]) tell(e edge) {
	level, message := slog.LevelWarn, "bus: slow subscription is at its limit"
	if e.change == caughtUp {
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
		hook(Slow{
			Topic:        s.topic.Name,
			Subscription: name,
			Policy:       s.options.policy,
			Limit:        s.options.limit,
			CaughtUp:     e.change == caughtUp,
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
