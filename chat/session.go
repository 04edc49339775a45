package chat

import (
	"context"
	"errors"

	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/reconnect"
)

// A session is one of the connection's that the client has entered: what
// discovery has learnt is in force, and the rooms are joined.
type session struct {
	*conn.Session
	epoch int // the same for sessions of which each has resumed the one before
}

// enter is what a session begins with: discovery, then the joins.
func (c *Client) enter(ctx context.Context, s *conn.Session) error {
	c.streams.begins(s.Recovered())
	if c.cfg.Discovery.Enabled {
		c.discover(ctx, s)
	}
	if err := c.rejoin(ctx, s); err != nil {
		var refused *JoinError
		if errors.As(err, &refused) && !errors.Is(err, context.DeadlineExceeded) && !c.retries(err) {
			return reconnect.Permanent(err)
		}
		return err
	}
	// The open streams first: whoever finds the session here may ask on it at once.
	lineage := c.streams.online(ctx, s.Recovered())
	c.mu.Lock()
	defer c.mu.Unlock()
	c.session = session{s, lineage}
	return nil
}

func (c *Client) retries(err error) bool { return c.cfg.Conn.Retry != nil && c.cfg.Conn.Retry(err) }

// entered waits until there is a session to send on, and returns it; see
// [conn.Conn.Ready] for what ends the wait.
func (c *Client) entered(ctx context.Context) (session, error) {
	if err := c.conn.Ready(ctx); err != nil {
		return session{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.session, nil // the one that is Ready, or one that is about to be
}

// send emits an event on the next session if one ends before it has taken the
// event, under the name that is then in force: names may change from one to the
// next. before, if it is not nil, is told of each session that is tried. Its
// error is a *conn.SendError.
func (c *Client) send(ctx context.Context, name func() string, payload any, before func(session)) error {
	for {
		s, err := c.entered(ctx)
		if err != nil {
			return &conn.SendError{Event: name(), Err: err}
		}
		if before != nil {
			before(s)
		}
		if err = s.Emit(ctx, name(), c.base.with(payload)); !notSent(err) {
			return err
		}
	}
}

// work is counted as what [conn.Conn.Shutdown] waits for. Its error is that of
// do, or a *conn.SendError when nothing is to be begun any more.
func (c *Client) work(name func() string, do func() error) error {
	done, err := c.conn.Begin()
	if err != nil {
		return &conn.SendError{Event: name(), Err: err}
	}
	defer done()
	return do()
}

// untaken reports whether err says that a session has ended before it took
// what was to be sent: another one may take it.
func notSent(err error) bool {
	var failed *conn.SendError
	return errors.As(err, &failed) && !failed.MaybeSent && errors.Is(err, conn.ErrSessionLost)
}
