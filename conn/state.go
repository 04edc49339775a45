package conn

import (
	"context"
	"fmt"
	"log/slog"
	"time"
)

// A Phase is where a connection stands.
type Phase int

// The phases, in the order a connection goes through them. Idle is the phase
// before the first Run; no State with it is ever published.
const (
	Idle       Phase = iota
	Connecting       // an attempt is on its way
	Connected        // the namespace is connected; Config.OnConnect runs
	Ready            // Config.OnConnect has returned; events are sent
	Waiting          // between two attempts
	Stopped          // Run has returned
)

var phaseNames = [...]string{"idle", "connecting", "connected", "ready", "waiting", "stopped"}

// String returns the phase in lower case, as it stands in logs.
func (p Phase) String() string {
	if p < 0 || int(p) >= len(phaseNames) {
		return fmt.Sprintf("phase(%d)", int(p))
	}
	return phaseNames[p]
}

// A State is one step in the life of a connection. Each change is published
// on Conn.States, with its cause.
type State struct {
	Phase Phase

	// Attempt counts the retries in a row: 0 during the first attempt and in
	// a session that came from it.
	Attempt int

	// Delay is, while Waiting, how long until the next attempt.
	Delay time.Duration

	// Err is the cause: why the last session or attempt ended (Waiting), or
	// why Run returned (Stopped; nil when its ctx ended or Close was called).
	Err error

	// SessionID is, while Connected and Ready, the id that the server knows
	// this socket by.
	SessionID string

	// Recovered is true, while Connected and Ready, when the server has resumed
	// the session before: the id is the same, and what was missed comes before
	// anything new.
	Recovered bool

	// Epoch is the number of the last session's epoch; 0 before the first
	// session. It grows by one with each session that the server did not resume,
	// whether that became Ready or not. While it stays the same, no event was
	// lost in between.
	Epoch uint64

	// Since is the time at which the connection became Ready and, in every other
	// phase, the time since which it has not been Ready.
	Since time.Time
}

// String is the state in one line, for people.
func (s State) String() string {
	text := s.Phase.String()
	if s.Phase == Waiting {
		text += fmt.Sprintf(" %v for attempt %d", s.Delay.Round(time.Millisecond), s.Attempt)
	}
	if s.Err != nil {
		text += ": " + s.Err.Error()
	}
	return text
}

// setState is called by Run's goroutine only. A state of phase Ready comes
// with the session that is ready. The state is published first: whoever finds
// the connection Ready can rely on States having said so.
func (c *Conn) setState(ctx context.Context, s State, ready *Session) {
	level := slog.LevelDebug
	if s.Phase == Waiting || s.Phase == Stopped && s.Err != nil {
		level = slog.LevelWarn
	}
	c.log.Log(context.Background(), level, "conn: "+s.Phase.String(),
		"attempt", s.Attempt, "delay", s.Delay, "error", s.Err, "session", s.SessionID)
	s.Epoch, s.Since = c.epoch, time.Now()
	if last := c.State(); (last.Phase == Ready) == (s.Phase == Ready) && !last.Since.IsZero() {
		s.Since = last.Since
	}
	_ = c.states.PublishContext(ctx, s) // a subscription that blocks does not hold up the end

	c.mu.Lock()
	c.state, c.ready = s, ready
	if s.Err != nil || s.Phase == Ready || s.Phase == Stopped {
		c.cause = s.Err
	}
	c.wake()
	c.mu.Unlock()
}

// Session returns the session that is Ready, and nil if none is.
func (c *Conn) Session() *Session {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ready
}

// State returns the current state. It is safe for concurrent use.
func (c *Conn) State() State {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state
}
