package conn

import (
	"fmt"

	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/internal/observe"
)

// The observers of Config.Observers implement one or more of the interfaces
// below, each with one method. They are called under no lock, in the goroutine
// of the event, and must not block: an observer of frames delays the reader or
// the writer. A panic of an observer is logged and has no other effect. The
// methods of one observer can be called at the same time.

// A StateObserver is called with each change of state, after it is published.
type StateObserver interface{ OnState(c *Conn, s State) }

// A SessionBeginObserver is called when the server has accepted a session,
// before Config.OnConnect.
type SessionBeginObserver interface{ OnSessionBegin(c *Conn, s *Session) }

// A SessionEndObserver is called when a session has ended, with the cause: the
// error of the ctx of Run, or the reason for the reconnect.
type SessionEndObserver interface {
	OnSessionEnd(c *Conn, s *Session, cause error)
}

// A FrameReadObserver is called with the size in bytes of each message that the
// server sent on a session: a packet of Socket.IO, or one of its attachments.
type FrameReadObserver interface{ OnFrameRead(c *Conn, size int) }

// A FrameWrittenObserver is called with the size in bytes of each packet that
// was written on a session, with its attachments.
type FrameWrittenObserver interface{ OnFrameWritten(c *Conn, size int) }

// A SlowObserver is called when a subscription to a topic of the connection
// becomes slow or has caught up; see [bus.Topic].OnSlow.
type SlowObserver interface {
	OnSlow(c *Conn, e bus.SlowEvent)
}

// observers are the observers of a connection, by their interfaces.
type observers struct {
	state        []StateObserver
	sessionBegin []SessionBeginObserver
	sessionEnd   []SessionEndObserver
	frameRead    []FrameReadObserver
	frameWritten []FrameWrittenObserver
	slow         []SlowObserver
}

func newObservers(all []any) observers {
	return observers{
		state:        observe.Of[StateObserver](all),
		sessionBegin: observe.Of[SessionBeginObserver](all),
		sessionEnd:   observe.Of[SessionEndObserver](all),
		frameRead:    observe.Of[FrameReadObserver](all),
		frameWritten: observe.Of[FrameWrittenObserver](all),
		slow:         observe.Of[SlowObserver](all),
	}
}

// IsObserver reports whether o has a method of an observer of this package.
func IsObserver(o any) bool {
	switch o.(type) {
	case StateObserver, SessionBeginObserver, SessionEndObserver, FrameReadObserver, FrameWrittenObserver, SlowObserver:
		return true
	}
	return false
}

func validateObservers(all []any) error {
	for _, o := range all {
		if !IsObserver(o) {
			return fmt.Errorf("conn: a value of Config.Observers has no method of an observer: a %T", o)
		}
	}
	return nil
}

func (c *Conn) observeState(s State) {
	observe.Each(c.log, c.observers.state, func(o StateObserver) { o.OnState(c, s) })
}

func (c *Conn) observeSessionBegin(s *Session) {
	observe.Each(c.log, c.observers.sessionBegin, func(o SessionBeginObserver) { o.OnSessionBegin(c, s) })
}

func (c *Conn) observeSessionEnd(s *Session, cause error) {
	observe.Each(c.log, c.observers.sessionEnd, func(o SessionEndObserver) { o.OnSessionEnd(c, s, cause) })
}

func (c *Conn) observeRead(size int) {
	observe.Each(c.log, c.observers.frameRead, func(o FrameReadObserver) { o.OnFrameRead(c, size) })
}

func (c *Conn) observeWritten(size int) {
	observe.Each(c.log, c.observers.frameWritten, func(o FrameWrittenObserver) { o.OnFrameWritten(c, size) })
}

// onSlow returns the OnSlow of a topic, nil if there is no observer.
func (c *Conn) onSlow() func(bus.SlowEvent) {
	if len(c.observers.slow) == 0 {
		return nil
	}
	return func(e bus.SlowEvent) {
		observe.Each(c.log, c.observers.slow, func(o SlowObserver) { o.OnSlow(c, e) })
	}
}
