package conn

import (
	"context"

	"github.com/seed67206a74/parley/internal/socketio"
)

// A Session is the current session, passed to Config.OnConnect. It sends before
// the connection is Ready, and so before calls that wait for Ready. It is safe
// for concurrent use.
type Session struct {
	conn    *Conn
	session *session
}

// ID returns the server's id of this socket.
func (s *Session) ID() string { return s.session.reply.SID }

// Recovered reports whether the server has resumed the previous session.
func (s *Session) Recovered() bool { return s.session.recovered }

// Emit sends an event on this session, and waits until it is written; see
// [Conn.Emit].
func (s *Session) Emit(ctx context.Context, event string, args ...any) error {
	data, err := encodeEvent(event, args)
	if err != nil {
		return &SendError{Event: event, Err: err}
	}
	if handed, err := s.session.send(ctx, socketio.Event, socketio.NoID, data); err != nil {
		return &SendError{Event: event, MaybeSent: handed, Err: err}
	}
	return nil
}

// Call sends an event on this session, waits for its acknowledgement, and
// decodes that into reply, a pointer; see [Call].
func (s *Session) Call(ctx context.Context, reply any, event string, args ...any) error {
	data, err := encodeEvent(event, args)
	if err != nil {
		return &SendError{Event: event, Err: err}
	}
	data, handed, err := s.session.call(ctx, data)
	if err != nil {
		return &SendError{Event: event, MaybeSent: handed, Err: err}
	}
	return s.conn.decodeReply(event, data, reply)
}

// Learnt puts what the server has told into State.Learnt, from Ready on.
func (s *Session) Learnt(facts map[string]string) {
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	s.session.learnt = facts
}

// An OnConnectError is a failure of Config.OnConnect. It is retried unless it is
// wrapped in reconnect.Permanent.
type OnConnectError struct{ Err error }

func (e *OnConnectError) Error() string { return "conn: Config.OnConnect: " + e.Err.Error() }

// Unwrap returns the error of Config.OnConnect.
func (e *OnConnectError) Unwrap() error { return e.Err }

// prepare runs between Connected and Ready: it calls Config.OnConnect and sends
// Config.Join.
func (c *Conn) prepare(s *session) error {
	if c.cfg.OnConnect != nil {
		if err := c.cfg.OnConnect(s.ctx, &Session{c, s}); err != nil {
			return &OnConnectError{err}
		}
	}
	if c.join.data != nil {
		if _, err := s.send(s.ctx, socketio.Event, socketio.NoID, c.join); err != nil {
			return err
		}
	}
	return nil
}
