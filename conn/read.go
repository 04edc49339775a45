package conn

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/internal/guard"
	"github.com/seed67206a74/parley/internal/socketio"
)

// read reads packets from the socket and publishes the events in wire order, in
// its own goroutine. It begins with the events that came before the reply to
// CONNECT. It returns the error that ended the session.
//
// At most one reader publishes at a time. A reader that is blocked on a
// subscription delivers its event even if its session ends meanwhile. The
// reader of the next session waits for that. So a recovery neither loses nor
// repeats the event. ctx is Run's: its end interrupts the reader.
func (c *Conn) read(ctx context.Context, s *Session) error {
	if !c.beginReading(s) {
		return ErrSessionLost
	}
	defer func() { <-c.reading }()
	if err := c.readEarly(ctx, s); err != nil {
		return err
	}
	for {
		m, err := s.engine.Read()
		if err != nil {
			s.ending(err)
			return readError(err)
		}
		if err := c.message(ctx, s, m); err != nil {
			return err
		}
	}
}

// beginReading waits until no other reader publishes, and returns false if the
// session ends first. A session that has ended already is read if it need not
// wait: the reader's end would close the socket before DISCONNECT is written.
func (c *Conn) beginReading(s *Session) bool {
	select {
	case c.reading <- struct{}{}:
		return true
	default:
	}
	select {
	case c.reading <- struct{}{}:
		return true
	case <-s.ctx.Done():
		return false
	}
}

// message is not inlined into read, so an idle reader needs half of the stack.
//
//go:noinline
func (c *Conn) message(ctx context.Context, s *Session, m Message) error {
	c.observeRead(len(m.Data))
	p, whole, err := s.packets.Add(m.Data, m.Binary)
	switch {
	case err != nil:
		return &ProtocolError{err}
	case !whole:
		return nil
	}
	return c.packet(ctx, s, p)
}

func (c *Conn) packet(ctx context.Context, s *Session, p socketio.Packet) error {
	if !bytes.Equal(p.Namespace, s.namespace) {
		return nil
	}
	c.counters.received.Add(1)
	c.counters.receivedBytes.Add(uint64(body{p.Data, p.Binary}.size()))
	switch p.Type {
	case socketio.Event, socketio.BinaryEvent:
		offset := s.offsetOf(p)
		if offset != nil && !s.advance(offset) {
			return ErrSessionLost
		}
		if err := c.event(ctx, s, p, offset != nil); err != nil {
			return &ProtocolError{err}
		}
	case socketio.Ack, socketio.BinaryAck:
		if call := s.takeAck(p.ID); call != nil {
			select {
			case call <- body{bytes.Clone(p.Data), p.Binary}:
			default: // CallRepeatedly has the acknowledgement of another attempt
			}
		}
	case socketio.Disconnect:
		return disconnectedError(p.Data)
	case socketio.ConnectError:
		return refusedError(p.Data)
	}
	return nil
}

// event passes an event to the active listeners of its name. Without any, the
// event is not decoded. An error means that the payload is not JSON.
func (c *Conn) event(ctx context.Context, s *Session, p socketio.Packet, offset bool) error {
	name, err := socketio.EventName(p.Data)
	if err != nil {
		return err
	}
	listeners := c.routes.to(name)
	if !c.raw.Active() && !slices.ContainsFunc(listeners, Listener.Active) {
		return nil
	}
	c.pace(s, listeners)
	payload := Payload{body: body{p.Data, p.Binary}, id: p.ID, session: s, offset: offset}
	tooDeep := exceedsDepth(p.Data, c.cfg.MaxNesting)
	if tooDeep {
		payload.err = ErrTooDeep
	}
	for _, listener := range listeners {
		err := guard.Call(func() error {
			if !listener.Active() {
				return nil
			}
			return listener.Receive(ctx, payload)
		})
		if err != nil {
			err = c.notReceived(ctx, name, p.Data, tooDeep, err)
		}
		if err != nil {
			return err
		}
	}
	switch {
	case !c.raw.Active():
		return nil
	case tooDeep:
		c.reportDecodeError(ctx, name, p.Data, ErrTooDeep)
		return nil
	}
	args, err := payload.Args()
	if err != nil {
		return fmt.Errorf("event %q: %w", name, err)
	}
	var panicked *bus.PanicError
	if errors.As(guard.Call(func() error {
		return c.raw.PublishSized(ctx, Event{string(name), args, p.Binary}, payload.Memory())
	}), &panicked) {
		c.reportPanic(ctx, name, p.Data, panicked)
	}
	return nil
}

// notReceived reports the error of a listener. It returns an error if the
// payload is not JSON. It is a function of its own, because errors.As allocates
// its target.
func (c *Conn) notReceived(ctx context.Context, name, data []byte, tooDeep bool, err error) error {
	var panicked *bus.PanicError
	switch {
	case errors.As(err, &panicked):
		c.reportPanic(ctx, name, data, panicked)
	case !tooDeep && !isJSON(data):
		var failed *DecodeError
		if errors.As(err, &failed) {
			err = failed.Err // without the name
		}
		return fmt.Errorf("event %q: %w", name, err)
	case ctx.Err() != nil && Unreadable(err): // Run ends
	default:
		c.reportDecodeError(ctx, name, data, err)
	}
	return nil
}

// A pacer is an Engine that can report a large payload, as
// engineio.Session.Pace does.
type pacer interface {
	Pace() (until time.Time, ok bool)
}

// pace waits for the readers of an event's listeners while a large payload is
// read.
func (c *Conn) pace(s *Session, listeners []Listener) {
	engine, ok := s.engine.(pacer)
	if !ok {
		return
	}
	until, ok := engine.Pace()
	if !ok {
		return
	}
	ctx, cancel := context.WithDeadline(s.ctx, until)
	defer cancel()
	for _, listener := range listeners {
		if p, ok := listener.(Pacer); ok {
			p.Pace(ctx)
		}
	}
	c.raw.WaitForReaders(ctx)
}

// readEarly publishes the events that came before the reply to CONNECT. The
// session is not Ready before that: the missed events of a resumed session come
// first.
func (c *Conn) readEarly(ctx context.Context, s *Session) error {
	defer close(s.earlyRead)
	early := s.early
	s.early = nil
	for _, p := range early {
		if err := c.packet(ctx, s, p); err != nil {
			return err
		}
	}
	return nil
}

// reportPanic logs and publishes a panic of a user's function that received an
// event.
func (c *Conn) reportPanic(ctx context.Context, name, data []byte, panicked *bus.PanicError) {
	c.logPanic(string(name), panicked)
	c.publishDecodeError(ctx, decodeError(string(name), data, panicked))
}

func (c *Conn) logPanic(event string, panicked *bus.PanicError) {
	guard.Log(c.log, panicked, "conn: a function panicked", "event", event)
}
