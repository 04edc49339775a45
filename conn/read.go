package conn

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/seed67206a74/parley/internal/socketio"
)

// read is the session's reader: it takes packets off the socket, and publishes
// the events in wire order in its own goroutine. It returns why it ended.
func (c *Conn) read(s *Session) error {
	for {
		m, err := s.engine.Read()
		if err != nil {
			return readError(err)
		}
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
		if waiting := s.takeAck(p.ID); waiting != nil {
			waiting <- body{bytes.Clone(p.Data), p.Binary}
		}
	case socketio.Disconnect:
		return ErrDisconnected
	}
	return nil
}

// event brings an event to everybody who listens to its name, and to nobody
// else: what no one hears is not decoded. It reports whether all of them have
// got it: a subscription that blocks may keep it from that until the session
// ends. Its error means that the payload is no JSON.
func (c *Conn) event(s *Session, p socketio.Packet, offset bool) (delivered bool, err error) {
	name, err := socketio.EventName(p.Data)
	if err != nil {
		return false, err
	}
	listeners := c.routes.to(name)
	if !c.raw.Active() && !slices.ContainsFunc(listeners, Listener.Active) {
		return true, nil
	}
	if exceedsDepth(p.Data, c.cfg.MaxNesting) {
		c.reportDecodeError(s, name, p.Data, ErrTooDeep)
		return true, nil
	}
	delivered = true
	payload := Payload{content: body{p.Data, p.Binary}, id: p.ID, session: s, offset: offset}
	for _, listener := range listeners {
		if !listener.Active() {
			continue
		}
		err := listener.Receive(s.ctx, payload)
		switch {
		case err == nil:
		case !isJSON(p.Data):
			return false, fmt.Errorf("event %q: %w", name, err)
		case s.ctx.Err() != nil:
			delivered = false
		default:
			c.reportDecodeError(s, name, p.Data, err)
		}
	}
	if c.raw.Active() {
		args, err := payload.Args()
		if err != nil {
			return false, fmt.Errorf("event %q: %w", name, err)
		}
		if c.raw.PublishContext(s.ctx, Event{string(name), args, p.Binary}) != nil {
			delivered = false
		}
	}
	return delivered, nil
}

// skip tells of an event that did not reach those who asked for it.
func (c *Conn) reportDecodeError(s *Session, name, data []byte, err error) {
	c.counters.decodeErrors.Add(1)
	c.decodeErrors.PublishContext(s.ctx, DecodeError{string(name), bytes.Clone(data), err})
}

func isJSON(data []byte) bool { return jsontext.Value(data).IsValid(decoderOptions...) }

// deeper reports whether arrays and objects in data nest deeper than limit.
// What is no JSON is found by whoever decodes it.
func exceedsDepth(data []byte, limit int) bool {
	if len(data) <= limit {
		return false // as most events: each level takes a byte
	}
	depth, quoted := 0, false
	for i := 0; i < len(data); i++ {
		switch b := data[i]; {
		case quoted && b == '\\':
			i++
		case b == '"':
			quoted = !quoted
		case quoted:
		case b == '[' || b == '{':
			if depth++; depth > limit {
				return true
			}
		case b == ']' || b == '}':
			depth--
		}
	}
	return false
}
