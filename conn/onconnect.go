package conn

import (
	"context"

	"github.com/seed67206a74/parley/internal/socketio"
)

// A Session is one stay in the namespace, as Config.OnConnect has it: what it
// sends goes out before the connection is Ready, and before anything that
// waits for that. It is safe for concurrent use.
type Session struct {
	conn    *Conn
	session *session
}

// ID returns the id that the server knows this socket by.
func (s *Session) ID() string { return s.session.reply.SID }

// Recovered reports whether the server has resumed the session before.
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
	answer, handed, err := s.session.call(ctx, data)
	if err != nil {
		return &SendError{Event: event, MaybeSent: handed, Err: err}
	}
	return s.conn.decodeReply(event, answer, reply)
}

// Learnt puts what the server has told into State.Learnt, from Ready on.
func (s *Session) Learnt(facts map[string]string) {
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	s.session.learnt = facts
}

// An OnConnectError is what Config.OnConnect failed with. It is worth another try,
// unless it is wrapped in reconnect.Permanent.
type OnConnectError struct{ Err error }

func (e *OnConnectError) Error() string { return "conn: Config.OnConnect: " + e.Err.Error() }

// Unwrap returns the error of Config.OnConnect.
func (e *OnConnectError) Unwrap() error { return e.Err }

// enterRoom does what is to be done between Connected and Ready.
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
