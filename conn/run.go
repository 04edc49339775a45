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

// Run connects, and keeps the connection up: after a lost session or a failed
// attempt it waits as Config.Reconnect says and tries again. It returns nil
// when ctx ends or Close is called, and an error when the connection has ended
// for good: a refusal or another permanent error, or a [reconnect.ExhaustedError].
//
// Run may be called again after it has returned; subscriptions live on. While
// one Run is on its way, another returns [ErrRunning]; after Close it returns
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
	c.wake() // an error of this Run is now the one that holds
	c.mu.Unlock()
	if closed {
		c.closeTopics()
	}
	close(stopped)
	return err
}

// runSession makes one attempt and, if it succeeds, lives through the session.
// It never returns nil.
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

// connect opens an Engine.IO session and enters the namespace. All of it
// happens within the handshake timeout.
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
	w, err := c.enter(s, packet)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		s.cancel()
		engine.CloseNow()
		c.resume.offset = string(s.offset) // what was missed may have come all the same
		return nil, err
	}
	s.recovered = c.resume.pid != "" && w.PID == c.resume.pid
	if !s.recovered {
		s.offset = nil // it was the offset of another session
		c.epoch++
	}
	s.epoch = c.epoch
	s.reply = w
	return s, nil
}

// encodeAuth encodes the payload of a CONNECT packet: a JSON object or nothing.
// Servers cut off a client that sends anything else.
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

// enter sends the CONNECT packet and reads until its answer ("Connection to a
// namespace" in the protocol). A server that resumes a session may send the
// events that were missed before it answers.
func (c *Conn) enter(s *Session, connect socketio.Packet) (connectReply, error) {
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
			return readWelcome(p.Data)
		case c.resume.pid == "" || p.Type != socketio.Event && p.Type != socketio.BinaryEvent:
			return connectReply{}, &ProtocolError{fmt.Errorf("packet of type %q before CONNECT was answered", byte(p.Type))}
		}
		if err := c.packet(s, p); err != nil {
			return connectReply{}, err
		}
	}
}

// readWelcome reads the payload of the server's CONNECT. A server of protocol
// revision 4 and older sends none, and does so without being asked.
func readWelcome(data []byte) (connectReply, error) {
	if data == nil {
		return connectReply{}, versionError("Socket.IO 2 over Engine.IO 3, or older")
	}
	var answer connectReply
	if err := json.Unmarshal(data, &answer); err != nil {
		return connectReply{}, &ProtocolError{fmt.Errorf("CONNECT: %w", err)}
	}
	if answer.SID == "" {
		return connectReply{}, versionError("CONNECT gives no id")
	}
	return answer, nil
}

// serve lives through one session, and is the only writer to its socket. It
// starts the reader and whoever enters the room, and returns when both have
// ended.
func (c *Conn) serve(ctx context.Context, s *Session, ready State) error {
	entered := make(chan error, 1)
	defer func() { <-entered }()
	defer s.end()
	defer c.notReady()                      // before s.end, which sends those who wait for s to look for another session
	go func() { s.readDone <- c.read(s) }() // ends when s.engine is closed, by s.end at the latest
	go func() { entered <- c.prepare(s) }() // ends when s.ctx does at the latest
	inside := entered

	// Once ctx has ended the socket is closed before long, whatever this
	// goroutine is stuck in.
	defer context.AfterFunc(ctx, func() {
		select {
		case <-time.After(goodbyeTimeout):
			s.engine.CloseNow()
		case <-s.ended:
		}
	})()

	for {
		select {
		case <-ctx.Done():
			c.notReady()
			s.sayGoodbye()
			return ctx.Err()
		case err := <-s.readDone:
			s.readDone <- err
			return err
		case err := <-inside:
			entered <- err
			inside = nil
			if err != nil {
				s.sayGoodbye()
				return err
			}
			c.setState(ctx, ready, s)
		case <-s.queue.filled:
			items, err := s.write()
			if err != nil {
				c.notReady() // before they are told, and look for another session
			}
			s.queue.written(items, err)
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

// lost returns the session's error after a failed write, preferring the
// reader's: after a disconnect by the server, a write may fail before the
// disconnect has been read.
func (c *Conn) lost(s *Session, writing error) error {
	s.queue.close()
	if reading := s.awaitReader(); reading != nil {
		return reading
	}
	return &TransportError{writing}
}

// notReady keeps new work away from a session that is about to end.
func (c *Conn) notReady() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ready = nil
}
