package conn

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/seed67206a74/parley/internal/engineio"
	"github.com/seed67206a74/parley/internal/socketio"
	"github.com/seed67206a74/parley/reconnect"
)

// connect opens an Engine.IO session and connects to the namespace, within
// Config.HandshakeTimeout.
func (c *Conn) connect(ctx context.Context) (*Session, error) {
	deadline := time.Now().Add(c.cfg.HandshakeTimeout)
	handshake, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()

	var awaited string
	s, err := c.handshake(handshake, &awaited)
	if err == nil {
		return s, nil
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	var auth *AuthError
	if !errors.As(err, &auth) && !time.Now().Before(deadline) {
		return nil, &DialError{fmt.Errorf("no %s within %v: %w", awaited, c.cfg.HandshakeTimeout, context.DeadlineExceeded)}
	}
	return nil, err
}

// handshake makes one attempt. It sets awaited to the item that it waits for.
func (c *Conn) handshake(ctx context.Context, awaited *string) (*Session, error) {
	resume := c.resume.at(time.Now())
	packet, err := c.connectPacket(ctx, resume)
	if err != nil {
		return nil, err
	}
	*awaited = "open packet"
	engine, err := c.dial(ctx)
	if err != nil {
		return nil, dialError(err)
	}
	c.resume = resumption{} // it is tried once: it may be the cause of a failure
	*awaited = "reply to CONNECT"
	s := c.newSession(engine)
	stop := context.AfterFunc(ctx, func() { s.cancel(); engine.CloseNow() })
	reply, err := c.connectNamespace(s, packet)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		s.cancel()
		engine.CloseNow()
		return nil, err
	}
	s.recovered = resume.pid != "" && reply.PID == resume.pid
	if s.recovered {
		s.offset = []byte(resume.offset)
	} else {
		c.epoch++
	}
	s.epoch = c.epoch
	s.reply = reply
	return s, nil
}

// dial opens an Engine.IO session. If the server does not know the path with a
// slash at its end, dial tries Config.Path as it is. The next attempt begins
// with the path that was found.
func (c *Conn) dial(ctx context.Context) (Engine, error) {
	to := c.endpoint()
	engine, err := c.cfg.Dialer.Dial(ctx, to)
	if !isUnknownPath(err) || strings.HasSuffix(c.cfg.Path, "/") {
		return engine, err
	}
	other := *to.URL
	other.Path = c.cfg.Path
	if to.URL.Path == c.cfg.Path {
		other.Path = withSlash(c.cfg.Path)
	}
	to.URL = &other
	found, otherErr := c.cfg.Dialer.Dial(ctx, to)
	if otherErr != nil {
		return nil, err
	}
	c.dialURL = &other
	return found, nil
}

// connectPacket returns the CONNECT packet, with the payload of Config.Auth.
func (c *Conn) connectPacket(ctx context.Context, resume resumption) (socketio.Packet, error) {
	packet := socketio.Packet{Type: socketio.Connect, Namespace: []byte(c.target.namespace), ID: socketio.NoID}
	if c.cfg.Auth != nil {
		auth, err := c.cfg.Auth(ctx)
		if ctx.Err() == context.DeadlineExceeded && err != nil {
			err = fmt.Errorf("no result within %v: %w: %w", c.cfg.HandshakeTimeout, ctx.Err(), err)
		}
		if err != nil {
			return packet, &AuthError{err}
		}
		if packet.Data, err = encodeAuth(auth); err != nil {
			return packet, reconnect.Permanent(&AuthError{err})
		}
	}
	var err error
	packet.Data, err = resume.addTo(packet.Data)
	return packet, err
}

// encodeAuth encodes the payload of a CONNECT packet: a JSON object or nothing.
// Servers disconnect a client that sends anything else.
func encodeAuth(auth any) ([]byte, error) {
	data, err := jsonv2.Marshal(auth)
	switch {
	case err != nil:
		return nil, err
	case string(data) == "null":
		return nil, nil
	case data[0] != '{':
		return nil, errors.New("the auth does not encode as a JSON object")
	}
	return data, nil
}

// connectNamespace sends the CONNECT packet and reads until the reply
// ("Connection to a namespace" in the protocol). It reads while it writes: over
// polling the server can reply although the post hangs. The first error ends
// both.
func (c *Conn) connectNamespace(s *Session, connect socketio.Packet) (connectReply, error) {
	message := Message{Data: connect.Append(nil)}
	if err := s.checkSize([]Message{message}); err != nil {
		return connectReply{}, &AuthError{err}
	}
	result, end := context.WithCancelCause(context.Background())
	defer end(nil)
	fail := func(err error) {
		end(err)
		s.engine.CloseNow()
	}
	written := make(chan struct{})
	go func() { // ends with the write, at the latest when the engine is closed
		defer close(written)
		if err := s.engine.Write(message); err != nil {
			s.ending(err)
			fail(&TransportError{err})
		}
	}()
	reply, err := c.readConnectReply(s)
	if err != nil {
		s.ending(err)
		fail(err)
	}
	<-written
	if size := s.refusedSize.Load(); size > 0 {
		return reply, &AuthError{&TooLargeError{Size: size}}
	}
	return reply, context.Cause(result)
}

// readConnectReply reads until the reply to CONNECT. It keeps the events that
// come before: from the server's middleware, or missed by a resumed session.
func (c *Conn) readConnectReply(s *Session) (connectReply, error) {
	for {
		m, err := s.engine.Read()
		if engineio.IsClose(err) {
			err = fmt.Errorf("%w: %s", err, otherParser)
		}
		if err != nil {
			return connectReply{}, readError(err)
		}
		p, whole, err := s.packets.Add(m.Data, m.Binary)
		if err != nil && m.Binary {
			err = fmt.Errorf("%w: %s", err, otherParser)
		}
		if err != nil {
			return connectReply{}, &ProtocolError{err}
		}
		if !whole || string(p.Namespace) != c.target.namespace {
			continue
		}
		switch p.Type {
		case socketio.Connect:
			return parseConnectReply(p.Data)
		case socketio.ConnectError:
			return connectReply{}, refusedError(p.Data)
		case socketio.Disconnect:
			return connectReply{}, disconnectedError(p.Data)
		case socketio.Event, socketio.BinaryEvent:
			if err := s.keepEarly(p); err != nil {
				return connectReply{}, err
			}
		}
	}
}

// otherParser is the likely cause of a session that ends instead of a reply to
// CONNECT.
const otherParser = "the server did not accept CONNECT; it may use another parser, such as msgpack"

// packetOverhead is the memory in bytes that an early packet needs besides its
// content, at most.
const packetOverhead = 256

// keepEarly keeps a copy of an event that came before the reply to CONNECT.
func (s *Session) keepEarly(p socketio.Packet) error {
	s.earlySize += packetOverhead + int64(body{p.Data, p.Binary}.size())
	if limit := s.conn.cfg.MaxFrame; s.earlySize > limit {
		return &ProtocolError{fmt.Errorf("events before the reply to CONNECT exceed %d bytes", limit)}
	}
	p.Namespace, p.Data = s.namespace, bytes.Clone(p.Data)
	s.early = append(s.early, p)
	return nil
}

// parseConnectReply decodes the payload of the server's CONNECT. Servers of
// protocol revision 4 and older send no payload. Of duplicate members the last
// one counts, as with JSON.parse.
func parseConnectReply(data []byte) (connectReply, error) {
	if data == nil {
		return connectReply{}, versionError("Socket.IO 2 over Engine.IO 3, or older")
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(data, &members); err != nil {
		return connectReply{}, &ProtocolError{fmt.Errorf("CONNECT: %w", err)}
	}
	var reply connectReply
	_ = json.Unmarshal(members["sid"], &reply.SID)
	_ = json.Unmarshal(members["pid"], &reply.PID) // of another type: no recovery
	if reply.SID == "" {
		return connectReply{}, versionError("CONNECT gives no id")
	}
	return reply, nil
}
