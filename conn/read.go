package conn

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/seed67206a74/parley/internal/socketio"
)

// read reads packets from the socket and publishes the events in wire order, in
// its own goroutine. It begins with the events that came before the reply to
// CONNECT. It returns the error that ended the session.
func (c *Conn) read(s *Session) error {
	if err := c.readEarly(s); err != nil {
		return err
	}
	for {
		m, err := s.engine.Read()
		if err != nil {
			s.ending(err)
			return readError(err)
		}
		c.observeRead(len(m.Data))
		p, whole, err := s.packets.Add(m.Data, m.Binary)
		if err != nil {
			return &ProtocolError{err}
		}
		if !whole {
			continue
		}
		if err := c.packet(s, p); err != nil {
			return err
		}
	}
}

func (c *Conn) packet(s *Session, p socketio.Packet) error {
	if !bytes.Equal(p.Namespace, s.namespace) {
		return nil
	}
	c.counters.received.Add(1)
	c.counters.receivedBytes.Add(uint64(body{p.Data, p.Binary}.size()))
	switch p.Type {
	case socketio.Event, socketio.BinaryEvent:
		offset := s.offsetOf(p)
		delivered, err := c.event(s, p, offset != nil)
		if err != nil {
			return &ProtocolError{err}
		}
		if delivered && offset != nil {
			s.offset = append(s.offset[:0], offset...)
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
// event is not decoded. It reports whether all of them received it: a blocking
// subscription may not when the session ends. An error means that the payload
// is not JSON.
func (c *Conn) event(s *Session, p socketio.Packet, offset bool) (delivered bool, err error) {
	name, err := socketio.EventName(p.Data)
	if err != nil {
		return false, err
	}
	listeners := c.routes.to(name)
	if !c.raw.Active() && !slices.ContainsFunc(listeners, Listener.Active) {
		return true, nil
	}
	c.pace(s, listeners)
	delivered = true
	payload := Payload{body: body{p.Data, p.Binary}, id: p.ID, session: s, offset: offset}
	tooDeep := exceedsDepth(p.Data, c.cfg.MaxNesting)
	if tooDeep {
		payload.err = ErrTooDeep
	}
	for _, listener := range listeners {
		if !listener.Active() {
			continue
		}
		err := listener.Receive(s.ctx, payload)
		switch {
		case err == nil:
		case !tooDeep && !isJSON(p.Data):
			var failed *DecodeError
			if errors.As(err, &failed) {
				err = failed.Err // without the name
			}
			return false, fmt.Errorf("event %q: %w", name, err)
		case s.ctx.Err() != nil && Unreadable(err):
			delivered = false
		default:
			c.reportDecodeError(s, name, p.Data, err)
		}
	}
	if c.raw.Active() && tooDeep {
		c.reportDecodeError(s, name, p.Data, ErrTooDeep)
	} else if c.raw.Active() {
		args, err := payload.Args()
		if err != nil {
			return false, fmt.Errorf("event %q: %w", name, err)
		}
		if c.raw.PublishSized(s.ctx, Event{string(name), args, p.Binary}, payload.Memory()) != nil {
			delivered = false
		}
	}
	return delivered, nil
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
func (c *Conn) readEarly(s *Session) error {
	defer close(s.earlyRead)
	early := s.early
	s.early = nil
	for _, p := range early {
		if err := c.packet(s, p); err != nil {
			return err
		}
	}
	return nil
}
