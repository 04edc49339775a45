package conn

import (
	"context"
	"errors"
	"sync"
)

// Do waits until the connection is Ready and calls fn with the session. When
// the session ends before fn could send anything, Do waits for the next one and
// calls fn again: when errors.Is finds [ErrSessionLost] in fn's error, and no
// [*SendError] in it says MaybeSent. It returns fn's error otherwise, and while
// it waits it returns what [Conn.Ready] returns.
//
// Do is work that [Conn.Shutdown] waits for. The ctx that fn gets belongs to
// that work: what is called with it is allowed to begin during Shutdown.
func (c *Conn) Do(ctx context.Context, fn func(ctx context.Context, s *Session) error) error {
	ctx, w, err := c.hold(ctx)
	if err != nil {
		return err
	}
	defer c.release(w)
	for {
		s, err := c.awaitReady(ctx)
		if err != nil {
			return err
		}
		if err := fn(ctx, s); !notSent(err) {
			return err
		}
	}
}

// notSent reports whether a session ended before it took what was to be sent.
func notSent(err error) bool {
	var failed *SendError
	return errors.Is(err, ErrSessionLost) && !(errors.As(err, &failed) && failed.MaybeSent)
}

// send is Do for one event: its wait fails with a *SendError.
func (c *Conn) send(ctx context.Context, event string, fn func(s *Session) error) error {
	if err := c.begin(ctx); err != nil {
		return &SendError{Event: event, Err: err}
	}
	defer c.done()
	for {
		s, err := c.awaitReady(ctx)
		if err != nil {
			return &SendError{Event: event, Err: err}
		}
		if err := fn(s); !notSent(err) {
			return err
		}
	}
}

// Hold begins work that [Conn.Shutdown] waits for, until release is called. It
// is for work that lasts longer than one call, such as an answer that arrives
// in parts. [Conn.Do], Emit, Call and handlers hold the connection themselves.
//
// What is called with the returned context belongs to the work, and is allowed
// to begin during Shutdown until release is called. After Close, and during
// Shutdown with a ctx that belongs to no work, Hold fails with [ErrClosed].
// Calling release again has no effect.
func (c *Conn) Hold(ctx context.Context) (held context.Context, release func(), err error) {
	held, w, err := c.hold(ctx)
	if err != nil {
		return ctx, func() {}, err
	}
	return held, sync.OnceFunc(func() { c.release(w) }), nil
}

// work is what a context belongs to, under the key of its Conn.
type work struct{ over bool } // under Conn.mu

type workKey struct{ conn *Conn }

func (c *Conn) hold(ctx context.Context) (held context.Context, w *work, err error) {
	if err := c.begin(ctx); err != nil {
		return ctx, nil, err
	}
	w = &work{}
	return context.WithValue(ctx, workKey{c}, w), w, nil
}

func (c *Conn) release(w *work) {
	c.mu.Lock()
	w.over = true
	c.mu.Unlock()
	c.done()
}

// begin counts a piece of work, until done is called.
func (c *Conn) begin(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.draining && !c.closed {
		c.mu.Unlock()
		w, _ := ctx.Value(workKey{c}).(*work) // under no lock: ctx may be of the user's type
		c.mu.Lock()
		if w == nil || w.over {
			return ErrClosed
		}
	}
	if c.closed {
		return ErrClosed
	}
	c.working++
	return nil
}

func (c *Conn) done() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.working--; c.working == 0 && c.draining {
		c.wake()
	}
}
