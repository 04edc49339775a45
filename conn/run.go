package conn

import (
	"context"
	"time"

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
	c.observeSessionBegin(s)
	err = c.serve(ctx, s, state)
	c.observeSessionEnd(s, err)
	c.resume = after(s, err)
	return err
}

// serve runs one session. It writes the packets that callers do not write
// themselves. It starts the reader and prepare, and returns when both have
// ended.
func (c *Conn) serve(ctx context.Context, s *Session, ready State) error {
	prepared := make(chan error, 1)
	defer func() { <-prepared }()
	defer s.end()
	defer c.notReady() // before s.end, so callers wait for the next session
	go func() {        // ends when s.engine is closed, at the latest by s.end
		s.readDone <- c.read(s)
		s.engine.CloseNow() // ends a write that hangs
	}()
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
			s.ending(err)
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
	select {
	case <-s.earlyRead:
	case <-s.ctx.Done():
	}
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
	if s.refusedSize.Load() > 0 {
		return &TransportError{writeErr} // over polling the reader continues
	}
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
