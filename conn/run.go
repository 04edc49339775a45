package conn

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/seed67206a74/parley/internal/socketio"
	"github.com/seed67206a74/parley/reconnect"
)

// Run connects, and reconnects after a lost session or a failed attempt, with
// the delays of Config.Reconnect. It returns nil when ctx ends or Close is
// called. It returns an error when an attempt or session fails permanently (see
// the table of errors), or a [reconnect.ExhaustedError] when Config.Reconnect
// allows no further attempt.
//
// Run may be called again after it has returned; subscriptions remain. While a
// Run is active, another one returns [ErrRunning]. After Close it returns
// [ErrClosed].
func (c *Conn) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stopped := make(chan struct{})

	c.mu.Lock()
	switch {
	case c.closed:
		c.mu.Unlock()
		return ErrClosed
	case c.stop != nil:
		c.mu.Unlock()
		return ErrRunning
	}
	c.stop, c.stopped = cancel, stopped
	c.mu.Unlock()

	attempt := 0
	err := c.cfg.Reconnect.Run(ctx,
		func(ctx context.Context, up func()) error {
			err := c.runSession(ctx, attempt, up)
			if ctx.Err() == nil && isPermanent(err) && !(c.cfg.Retry != nil && c.cfg.Retry(err)) {
				return reconnect.Permanent(err)
			}
			return err
		},
		func(w reconnect.Wait) {
			attempt = w.Attempt
			c.setState(ctx, State{Phase: Waiting, Attempt: w.Attempt, Delay: w.Delay, Err: w.Err}, nil)
		})
	if ctx.Err() != nil {
		err = nil
	}
	c.setState(ctx, State{Phase: Stopped, Err: err}, nil)

	c.mu.Lock()
	c.stop, c.stopped = nil, nil
	closed := c.closed
	c.wake() // Ready now returns the error of this Run
	c.mu.Unlock()
	if closed {
		c.closeTopics()
	}
	close(stopped)
	return err
}

// runSession makes one attempt and, if it succeeds, serves the session until
// the session ends. It never returns nil.
func (c *Conn) runSession(ctx context.Context, attempt int, up func()) error {
	c.counters.attempts.Add(1)
	c.setState(ctx, State{Phase: Connecting, Attempt: attempt}, nil)
	s, err := c.connect(ctx)
	if err != nil {
		return err
	}
	up()
	c.counters.sessions.Add(1)
	if s.recovered {
		c.counters.recovered.Add(1)
	}
	state := State{Phase: Connected, Attempt: attempt, SessionID: s.reply.SID, Recovered: s.recovered}
	c.setState(ctx, state, nil)
	state.Phase = Ready
	err = c.serve(ctx, s, state)
	c.resume = after(s, err)
	return err
}

// connect opens an Engine.IO session and connects to the namespace, within
// Config.HandshakeTimeout.
func (c *Conn) connect(ctx context.Context) (*Session, error) {
	handshake, cancel := context.WithTimeout(ctx, c.cfg.HandshakeTimeout)
	defer cancel()

	s, err := c.handshake(handshake)
	var auth *AuthError
	switch {
	case err == nil:
		return s, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.As(err, &auth):
		return nil, err
	case handshake.Err() != nil, errors.Is(err, os.ErrDeadlineExceeded):
		return nil, &DialError{fmt.Errorf("no answer within %v", c.cfg.HandshakeTimeout)}
	}
	return nil, err
}

func (c *Conn) handshake(ctx context.Context) (*Session, error) {
	packet := socketio.Packet{Type: socketio.Connect, Namespace: []byte(c.target.namespace), ID: socketio.NoID}
	if c.cfg.Auth != nil {
		auth, err := c.cfg.Auth(ctx)
		if err != nil {
			return nil, &AuthError{err}
		}
		if packet.Data, err = encodeAuth(auth); err != nil {
			return nil, reconnect.Permanent(&AuthError{err})
		}
	}

	var err error
	if packet.Data, err = c.resume.addTo(packet.Data); err != nil {
		return nil, err
	}
	engine, err := c.cfg.Dialer.Dial(ctx, c.endpoint())
	if err != nil {
		return nil, dialError(err)
	}
	s := c.newSession(engine)
	stop := context.AfterFunc(ctx, func() { s.cancel(); engine.CloseNow() })
	reply, err := c.connectNamespace(s, packet)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		s.cancel()
		engine.CloseNow()
		c.resume.offset = string(s.offset) // missed events may have arrived before the error
		return nil, err
	}
	s.recovered = c.resume.pid != "" && reply.PID == c.resume.pid
	if !s.recovered {
		s.offset = nil // it belongs to another session
		c.epoch++
	}
	s.epoch = c.epoch
	s.reply = reply
	return s, nil
}

// encodeAuth encodes the payload of a CONNECT packet: a JSON object or nothing.
// Servers disconnect a client that sends anything else.
func encodeAuth(auth any) ([]byte, error) {
	data, err := json.Marshal(auth)
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
// ("Connection to a namespace" in the protocol). A server that resumes a
// session may send the missed events before the reply.
func (c *Conn) connectNamespace(s *Session, connect socketio.Packet) (connectReply, error) {
	if err := s.engine.Write(Message{Data: connect.Append(nil)}); err != nil {
		return connectReply{}, &TransportError{err}
	}
	for {
		m, err := s.engine.Read()
		if err != nil {
			return connectReply{}, readError(err)
		}
		p, whole, err := s.packets.Add(m.Data, m.Binary)
		switch {
		case err != nil:
			return connectReply{}, &ProtocolError{err}
		case !whole || string(p.Namespace) != c.target.namespace:
			continue
		case p.Type == socketio.ConnectError:
			return connectReply{}, refusedError(p.Data)
		case p.Type == socketio.Connect:
			return parseConnectReply(p.Data)
		case c.resume.pid == "" || p.Type != socketio.Event && p.Type != socketio.BinaryEvent:
			return connectReply{}, &ProtocolError{fmt.Errorf("packet of type %q before CONNECT was answered", byte(p.Type))}
		}
		if err := c.packet(s, p); err != nil {
			return connectReply{}, err
		}
	}
}

// parseConnectReply decodes the payload of the server's CONNECT. Servers of
// protocol revision 4 and older send no payload.
func parseConnectReply(data []byte) (connectReply, error) {
	if data == nil {
		return connectReply{}, versionError("Socket.IO 2 over Engine.IO 3, or older")
	}
	var reply connectReply
	if err := json.Unmarshal(data, &reply); err != nil {
		return connectReply{}, &ProtocolError{fmt.Errorf("CONNECT: %w", err)}
	}
	if reply.SID == "" {
		return connectReply{}, versionError("CONNECT gives no id")
	}
	return reply, nil
}

// serve runs one session and writes to its socket what callers do not write
// themselves. It starts the reader and prepare, and returns when both have ended.
func (c *Conn) serve(ctx context.Context, s *Session, ready State) error {
	prepared := make(chan error, 1)
	defer func() { <-prepared }()
	defer s.end()
	defer c.notReady()                       // before s.end, so callers wait for the next session
	go func() { s.readDone <- c.read(s) }()  // ends when s.engine is closed, at the latest by s.end
	go func() { prepared <- c.prepare(s) }() // ends when s.ctx does at the latest
	preparing := prepared                    // nil once prepare has returned

	// When ctx ends, close the socket after closeTimeout, even if this
	// goroutine is blocked in a write.
	defer context.AfterFunc(ctx, func() {
		select {
		case <-time.After(closeTimeout):
			s.engine.CloseNow()
		case <-s.ended:
		}
	})()

	for {
		select {
		case <-ctx.Done():
			c.notReady()
			s.disconnect()
			return ctx.Err()
		case err := <-s.readDone:
			s.readDone <- err
			return err
		case err := <-preparing:
			prepared <- err
			preparing = nil
			if err != nil {
				s.disconnect()
				return err
			}
			c.setState(ctx, ready, s)
		case <-s.queue.filled:
			u := s.queue.take()
			if u == nil {
				continue
			}
			err := s.write(u)
			if err != nil {
				c.notReady() // before the callers get err and wait for the next session
			}
			s.queue.wrote(u.items, err, false)
			if err != nil {
				return c.lost(s, err)
			}
		}
	}
}

// prepare runs Config.OnConnect, between Connected and Ready.
func (c *Conn) prepare(s *Session) error {
	if c.cfg.OnConnect == nil {
		return nil
	}
	if err := c.cfg.OnConnect(s.ctx, s); err != nil {
		return &OnConnectError{err}
	}
	return nil
}

// lost returns the session's error after a failed write. It prefers the
// reader's error: after a DISCONNECT or a close of the server a write may fail
// before the reader has reported that.
func (c *Conn) lost(s *Session, writeErr error) error {
	s.queue.close()
	if readErr := s.awaitReader(); readErr != nil {
		return readErr
	}
	return &TransportError{writeErr}
}

// notReady makes new calls wait for the next session.
func (c *Conn) notReady() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ready, c.entering = nil, nil
}
