package conn

import (
	"context"
	"fmt"
	"log/slog"
	"time"
)

// A Phase is the phase of a connection.
type Phase int

// The phases, in their order. Idle is the phase before the first Run, and is
// never published.
const (
	Idle       Phase = iota
	Connecting       // an attempt is in progress
	Connected        // the namespace is connected; Config.OnConnect runs
	Ready            // Config.OnConnect has returned; events are sent
	Waiting          // between two attempts
	Stopped          // Run has returned
)

var phaseNames = [...]string{"idle", "connecting", "connected", "ready", "waiting", "stopped"}

// String returns the phase in lower case, as it is logged.
func (p Phase) String() string {
	if p < 0 || int(p) >= len(phaseNames) {
		return fmt.Sprintf("phase(%d)", int(p))
	}
	return phaseNames[p]
}

// A State describes a connection at one time. Each change is published on
// Conn.States, with its cause.
type State struct {
	Phase Phase

	// Attempt is the number of consecutive retries. It is 0 during the first
	// attempt and in its session.
	Attempt int

	// Delay is the time until the next attempt, while Waiting.
	Delay time.Duration

	// Err is, while Waiting, the error of the last session or attempt. While
	// Stopped it is the error of Run, which is nil if its ctx ended or Close
	// was called.
	Err error

	// SessionID is the server's id of this socket, while Connected and Ready.
	SessionID string

	// Recovered is true, while Connected and Ready, if the server resumed the
	// previous session. The id is then the same, and missed events arrive
	// before new ones.
	Recovered bool

	// Epoch is the number of the last session's epoch; 0 before the first
	// session. It grows by one with each session that the server did not
	// resume, whether or not that session became Ready. Between two events of
	// the same epoch no event was lost.
	Epoch uint64

	// Since is the time at which the connection became Ready; in any other
	// phase, the time since which it has not been Ready.
	Since time.Time
}

// String describes the state in one line, for people.
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

// setState is called by Run's goroutine only. A state of phase Ready comes with
// its session. The state is published before it is stored: when Ready returns,
// States has published Ready. TryEmit, which does not wait, can send from the
// publication on.
func (c *Conn) setState(s State, ready *Session) {
	defer func() { // also after a panic of a log handler
		c.mu.Lock()
		defer c.mu.Unlock()
		c.state, c.ready = s, ready
		if s.Err != nil || s.Phase == Ready || s.Phase == Stopped {
			c.cause = s.Err
		}
		c.wake()
	}()
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
	c.mu.Lock()
	c.entering = ready
	c.mu.Unlock()
	c.states.Publish(s)
	c.observeState(s)
}

// Session returns the session that is Ready, or nil if none is.
func (c *Conn) Session() *Session {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ready
}

// State returns the current state.
func (c *Conn) State() State {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state
}
