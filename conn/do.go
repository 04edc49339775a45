package conn

import (
	"context"
	"errors"
	"sync"
)

// Do waits until the connection is Ready and calls fn with the session. If the
// session ends before it took the event that fn sends, Do waits for the next
// session and calls fn again. It detects this by the error of fn:
// [ErrSessionLost] without a [*SendError] whose MaybeSent is true. Any other
// error of fn is returned. While Do waits, its errors are those of
// [Conn.Ready].
//
// If fn sends several events, the error is about the last one: Do may call fn
// again although the events before it were sent.
//
// [Conn.Shutdown] waits for Do. The ctx that fn receives belongs to this work:
// a call with it may begin during Shutdown.
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

// notSent reports whether a session ended before it took the event.
func notSent(err error) bool {
	if err == nil {
		return false
	}
	failed, ok := errors.AsType[*SendError](err)
	return errors.Is(err, ErrSessionLost) && !(ok && failed.MaybeSent)
}

// send is Do for one event. If it fails before fn runs, its error is a
// *SendError.
func (c *Conn) send(ctx context.Context, event string, fn func(s *Session) error) error {
	if err := c.begin(ctx); err != nil {
		return &SendError{Event: event, Err: err}
	}
	defer c.done()
	for {
		s, err := c.awaitReady(ctx)
		if err != nil {
			return &SendError{Event: event, Err: err, State: c.stateAt(err)}
		}
		if err := fn(s); !notSent(err) {
			return err
		}
	}
}

// Hold begins work that [Conn.Shutdown] waits for, until release is called. Use
// it for work that lasts longer than one call, such as an answer that arrives
// in parts. [Conn.Do], Emit, Call and handlers do not need it.
//
// The returned context belongs to the work: until release is called, a call
// with it may begin during Shutdown. Hold fails with [ErrClosed] after Close,
// and during Shutdown unless its ctx belongs to other work. Further calls of
// release have no effect.
func (c *Conn) Hold(ctx context.Context) (held context.Context, release func(), err error) {
	held, w, err := c.hold(ctx)
	if err != nil {
		return ctx, func() {}, err
	}
	return held, sync.OnceFunc(func() { c.release(w) }), nil
}

// work is a context that belongs to work. It is its own value, under the key of
// its Conn.
type work struct {
	context.Context
	key  workKey
	over bool // under Conn.mu
}

type workKey struct{ conn *Conn }

func (w *work) Value(key any) any {
	if key == w.key {
		return w
	}
	return w.Context.Value(key)
}

func (c *Conn) hold(ctx context.Context) (held context.Context, w *work, err error) {
	if err := c.begin(ctx); err != nil {
		return ctx, nil, err
	}
	w = &work{Context: ctx, key: workKey{c}}
	return w, w, nil
}

func (c *Conn) release(w *work) {
	c.mu.Lock()
	defer c.mu.Unlock()
	w.over = true
	c.finished()
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
	c.finished()
}

// finished ends a piece of work; c.mu is held.
func (c *Conn) finished() {
	if c.working--; c.working == 0 && c.draining {
		c.wake()
	}
}
