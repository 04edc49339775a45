package conn

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/seed67206a74/parley/conn/internal/socketio"
)

// read is the session's reader: it takes packets off the socket, and publishes
// the events in wire order in its own goroutine. It returns why it ended.
func (c *Conn) read(s *session) error {
	for {
		m, err := s.engine.Read()
		if err != nil {
			return readError(err)
		}
		if err := c.message(s, m); err != nil {
			return err
		}
	}
}

func (c *Conn) message(s *session, m Message) error {
	if m.Binary {
		if s.attachments == 0 {
			return &ProtocolError{errors.New("binary message that no event announced")}
		}
		s.attachments--
		return nil
	}
	if s.attachments > 0 {
		return &ProtocolError{fmt.Errorf("%d binary messages are missing", s.attachments)}
	}

	p, err := socketio.Parse(m.Data)
	if err != nil {
		return &ProtocolError{err}
	}
	if !bytes.Equal(p.Namespace, s.namespace) {
		return nil
	}
	switch p.Type {
	case socketio.Event:
		if err := c.event(s, p); err != nil {
			return &ProtocolError{err}
		}
	case socketio.Ack:
		if waiting := s.takeAck(p.ID); waiting != nil {
			waiting <- bytes.Clone(p.Data)
		}
	case socketio.Disconnect:
		return ErrDisconnected
	case socketio.BinaryEvent, socketio.BinaryAck:
		s.attachments = p.Attachments
		return c.binary(s, p)
	}
	return nil
}

// errBinary is told to those who asked for an event with binary attachments.
var errBinary = errors.New("binary payloads are not supported")

// binary passes over an event or acknowledgement with attachments: whoever
// waits for it learns why it does not come.
func (c *Conn) binary(s *session, p socketio.Packet) error {
	if p.Type == socketio.BinaryAck {
		if waiting := s.takeAck(p.ID); waiting != nil {
			close(waiting)
		}
		return nil
	}
	name, err := socketio.EventName(p.Data)
	if err != nil {
		return &ProtocolError{err}
	}
	return c.decodeErrors.PublishContext(s.ctx, DecodeError{string(name), bytes.Clone(p.Data), errBinary})
}

// event brings an event to everybody who listens to its name, and to nobody
// else: what no one hears is not decoded. Its error means that the payload is
// no JSON.
func (c *Conn) event(s *session, p socketio.Packet) error {
	name, err := socketio.EventName(p.Data)
	if err != nil {
		return err
	}
	payload := Payload{data: p.Data, id: p.ID, session: s}
	for _, sink := range c.routes.to(name) {
		if !sink.Wanted() {
			continue
		}
		err := sink.Receive(s.ctx, payload)
		if err == nil {
			continue
		}
		if !isJSON(p.Data) {
			return fmt.Errorf("event %q: %w", name, err)
		}
		if s.ctx.Err() == nil {
			c.decodeErrors.PublishContext(s.ctx, DecodeError{string(name), bytes.Clone(p.Data), err})
		}
	}
	if c.raw.Active() {
		args, err := payload.Args()
		if err != nil {
			return fmt.Errorf("event %q: %w", name, err)
		}
		c.raw.PublishContext(s.ctx, Event{Name: string(name), Args: args})
	}
	return nil
}

func isJSON(data []byte) bool { return jsontext.Value(data).IsValid(decoderOptions...) }
