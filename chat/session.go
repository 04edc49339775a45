package chat

import (
	"context"
	"errors"

	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/reconnect"
)

// A session is a session of the connection that the client has entered: names
// are discovered and the rooms are joined.
type session struct {
	*conn.Session
	epoch int // grows with each session that did not resume the one before
}

// enter prepares each session before Ready: Config.Conn.OnConnect, discovery,
// then the joins.
func (c *Client) enter(ctx context.Context, s *conn.Session) error {
	c.streams.begins(s.Recovered())
	if onConnect := c.cfg.Conn.OnConnect; onConnect != nil {
		if err := onConnect(ctx, s); err != nil {
			return err
		}
	}
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
	// Before c.session is set: from then on Ask may use the session.
	epoch := c.streams.online(ctx, s.Recovered())
	c.mu.Lock()
	defer c.mu.Unlock()
	c.session = session{s, epoch}
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

// send emits an event, and again on the next session if nothing was sent. Each
// attempt uses the current name, which may have changed. before, if not nil, is
// called with the session of each attempt. The error is a *conn.SendError.
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

// notSent reports whether err says that the session has ended before anything
// was written, so that the next one may send it.
func notSent(err error) bool {
	var failed *conn.SendError
	return errors.As(err, &failed) && !failed.MaybeSent && errors.Is(err, conn.ErrSessionLost)
}
