package chat

import (
	"context"
	"errors"

	"github.com/seed67206a74/parley/conn"
)

// doFunc is [conn.Conn.Do]: what the parts of a client need of the connection.
type doFunc func(ctx context.Context, fn func(ctx context.Context, s *conn.Session) error) error

// onSession runs fn as do does. When fn could not be run, its error is a
// *conn.SendError for an event of the given name.
func onSession(do doFunc, ctx context.Context, event func() string, fn func(ctx context.Context, s *conn.Session) error) error {
	var failed error
	err := do(ctx, func(ctx context.Context, s *conn.Session) error {
		failed = fn(ctx, s)
		return failed
	})
	if err != nil && (failed == nil || notSent(failed)) {
		return &conn.SendError{Event: event(), Err: err}
	}
	return err
}

// notSent reports whether err says that a session ended before it took what was
// to be sent: do runs fn again then.
func notSent(err error) bool {
	var failed *conn.SendError
	return errors.Is(err, conn.ErrSessionLost) && !(errors.As(err, &failed) && failed.MaybeSent)
}

// send sends an event under the name that is in force when it is written. sending,
// if it is not nil, is called with each session that is tried. The error is a
// *conn.SendError.
func (c *Client) send(ctx context.Context, name func() string, payload any, sending func(s *conn.Session)) error {
	return onSession(c.conn.Do, ctx, name, func(ctx context.Context, s *conn.Session) error {
		if sending != nil {
			sending(s)
		}
		return s.Emit(ctx, name(), c.base.with(payload))
	})
}
