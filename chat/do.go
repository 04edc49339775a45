package chat

import (
	"context"
	"errors"
	"strings"

	"github.com/seed67206a74/parley/conn"
)

// sessions are the sessions of a [conn.Conn].
type sessions interface {
	Do(ctx context.Context, fn func(ctx context.Context, s *conn.Session) error) error
	Hold(ctx context.Context) (held context.Context, release func(), err error)
	Health() error
}

// onSession runs fn as Do does. If fn could not run, or ran on sessions that
// ended before they sent anything, the error is a *conn.SendError for an event
// of the given name.
func onSession(on sessions, ctx context.Context, event func() string, fn func(ctx context.Context, s *conn.Session) error) error {
	var failed error
	err := on.Do(ctx, func(ctx context.Context, s *conn.Session) error {
		failed = fn(ctx, s)
		return failed
	})
	return sendError(on, ctx, err, failed, event)
}

// sendError returns the error of Do, whose function returned failed at last.
func sendError(on sessions, ctx context.Context, err, failed error, event func() string) error {
	if err != nil && (failed == nil || notSent(failed)) {
		return &conn.SendError{Event: event(), Err: err, State: stateAt(on, ctx)}
	}
	return err
}

// stateAt returns the State of a conn.SendError of a call that was waiting for
// Ready when its ctx ended.
func stateAt(on sessions, ctx context.Context) string {
	health := on.Health()
	if ctx.Err() == nil || health == nil {
		return ""
	}
	return strings.TrimPrefix(health.Error(), conn.ErrNotReady.Error()+": ")
}

// notSent reports whether err is the error of a session that ended before it
// sent the event. Then Do runs fn again.
func notSent(err error) bool {
	if err == nil {
		return false
	}
	failed, ok := errors.AsType[*conn.SendError](err)
	return errors.Is(err, conn.ErrSessionLost) && !(ok && failed.MaybeSent)
}

// maybeSent reports whether an event was or may have been sent by a send that
// returned err.
func maybeSent(err error) bool {
	failed, ok := errors.AsType[*conn.SendError](err)
	return !ok || failed.MaybeSent
}

// send sends an event under the current name at the time of writing. sending,
// if not nil, is called with each session before the attempt. The error is a
// *conn.SendError.
func (c *Client) send(ctx context.Context, name func() string, payload any, sending func(s *conn.Session)) error {
	var failed error
	err := c.conn.Do(ctx, func(ctx context.Context, s *conn.Session) error {
		if sending != nil {
			sending(s)
		}
		failed = s.Emit(ctx, name(), c.base.with(payload))
		return failed
	})
	return sendError(c.conn, ctx, err, failed, name)
}
