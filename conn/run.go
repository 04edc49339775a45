package conn

import (
	"context"
	"errors"
	"time"

	"github.com/seed67206a74/parley/internal/guard"
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
	if err := c.beginRun(cancel, stopped); err != nil {
		return err
	}
	err := errAborted
	// Deferred, so that a panic or runtime.Goexit of a user's function in this
	// goroutine leaves no state behind.
	defer c.runEnded(stopped)
	defer cancel()
	defer func() { c.setState(State{Phase: Stopped, Err: err}, nil) }()
	err = c.keepConnected(ctx)
	return err
}

// errAborted is the error of a Run that did not return.
var errAborted = errors.New("conn: Run ended by a panic or runtime.Goexit")

func (c *Conn) beginRun(stop context.CancelFunc, stopped chan struct{}) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed:
		return ErrClosed
	case c.stop != nil:
		return ErrRunning
	}
	c.stop, c.stopped = stop, stopped
	return nil
}

// runEnded releases the state of a Run. A reader may still hand over an event,
// until the end of Run's ctx interrupts it.
func (c *Conn) runEnded(stopped chan struct{}) {
	defer close(stopped)
	c.reading <- struct{}{}
	<-c.reading
	c.resume = resumption{}
	c.mu.Lock()
	c.stop, c.stopped = nil, nil
	closed := c.closed
	c.wake() // Ready now returns the error of this Run
	c.mu.Unlock()
	if closed {
		c.closeTopics()
	}
}

// keepConnected makes one attempt after the other, and serves their sessions.
func (c *Conn) keepConnected(ctx context.Context) error {
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
			c.setState(State{Phase: Waiting, Attempt: w.Attempt, Delay: w.Delay, Err: w.Err}, nil)
		})
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// runSession makes one attempt and, if it succeeds, serves the session until
// the session ends. It never returns nil.
func (c *Conn) runSession(ctx context.Context, attempt int, up func()) error {
	c.counters.attempts.Add(1)
	c.setState(State{Phase: Connecting, Attempt: attempt}, nil)
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
	c.setState(state, nil)
	state.Phase = Ready
	c.observeSessionBegin(s)
	err = c.serve(ctx, s, state)
	c.observeSessionEnd(s, err)
	c.resume = s.resumption(err)
	return err
}

// serve runs one session. It writes the packets that callers do not write
// themselves. It starts the reader and prepare, and returns when both have
// ended, except for a reader that still hands over an event.
func (c *Conn) serve(ctx context.Context, s *Session, ready State) error {
	prepared := make(chan error, 1)
	defer func() { <-prepared }()
	defer s.end()
	defer c.notReady()        // before s.end, so callers wait for the next session
	waits := len(s.early) > 0 // checked before the reader begins
	// The reader ends when s.engine is closed, at the latest by s.end, and its
	// event is handed over, at the latest when ctx ends.
	go guard.Then(func() error { return c.read(ctx, s) }, func(err error) {
		s.readDone <- err
		s.engine.CloseNow() // ends a write that hangs
	})
	// prepare ends when s.ctx does at the latest.
	go guard.Then(func() error { return c.prepare(s, waits) }, func(err error) { prepared <- err })
	preparing := prepared // nil once prepare has returned

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
				return &OnConnectError{err}
			}
			c.setState(ready, s)
		case <-s.queue.filled:
			s.queue.letSendersRun()
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

// prepare runs Config.OnConnect, between Connected and Ready. If waits is true,
// it first waits until the events before the reply to CONNECT are published, so
// that no event of the client is sent before them.
func (c *Conn) prepare(s *Session, waits bool) error {
	if waits {
		select {
		case <-s.earlyRead:
		case <-s.ctx.Done():
		}
	}
	if c.cfg.OnConnect == nil {
		return nil
	}
	return c.cfg.OnConnect(s.ctx, s)
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
