package conn

import (
	"context"

	"github.com/seed67206a74/parley/internal/socketio"
)

// Emit sends an event. It encodes each argument with
// github.com/go-json-experiment/json; a json.RawMessage is sent unchanged. A
// []byte at any depth becomes a binary attachment, a nil one null. The slices
// must not change until Emit has returned.
//
// Emit waits until the connection is Ready, the queue has room, and the event
// is written to the socket. ctx limits only this wait. An error is a
// [*SendError], which reports whether the event may have been sent. A written
// event is not necessarily received; use [Call] for that.
func (c *Conn) Emit(ctx context.Context, event string, args ...any) error {
	o, err := c.encodeEvent(event, args)
	if err != nil {
		return &SendError{Event: event, Err: err}
	}
	defer o.release()
	return c.send(ctx, event, func(s *Session) error { return s.emit(ctx, event, o) })
}

// TryEmit sends an event without waiting, as Socket.IO does with a volatile
// event. If the connection is not Ready or its queue is full, TryEmit drops the
// event and returns a [*SendError] with [ErrNotReady]. After Close or Shutdown
// the error has [ErrClosed].
//
// TryEmit does not wait for the write. If the session ends before the write,
// the event is lost. Byte slices in the arguments must not change after the
// call.
func (c *Conn) TryEmit(event string, args ...any) error {
	o, err := c.encodeEvent(event, args)
	if err == nil {
		err = c.tryEmit(o.detach())
	}
	if err != nil {
		return &SendError{Event: event, Err: err}
	}
	return nil
}

func (c *Conn) tryEmit(o *outgoing) error {
	c.mu.Lock()
	s, closed := c.entering, c.closed || c.draining
	c.mu.Unlock()
	switch {
	case closed:
		return ErrClosed
	case s == nil:
		c.counters.dropped.Add(1)
		return ErrNotReady
	}
	o.address(s, socketio.Event, socketio.NoID)
	if err := s.checkSize(o.messages); err != nil {
		return err
	}
	if _, _, err := s.queue.tryPut(o, false); err != nil {
		c.counters.dropped.Add(1)
		return ErrNotReady // a session that has just ended is not ready either
	}
	return nil
}

// Call sends an event and waits for the server's acknowledgement. It decodes
// the first argument of that into R; if R is [Args] or [Event], it returns all
// arguments. Like [Conn.Emit], Call waits for Ready and for room in the queue.
//
// If ctx ends first, Call returns, and a later acknowledgement is dropped. An
// error before the acknowledgement is a [*SendError]. If the acknowledgement
// does not fit R, the error is a [*DecodeError]. If that has Delivered, Call
// returns the acknowledgement as well, without the fields that do not fit.
func Call[R any](ctx context.Context, c *Conn, event string, args ...any) (R, error) {
	var reply R
	o, err := c.encodeEvent(event, args)
	if err != nil {
		return reply, &SendError{Event: event, Err: err}
	}
	defer o.release()
	err = c.send(ctx, event, func(s *Session) error { return s.call(ctx, &reply, event, o) })
	if Unreadable(err) {
		var zero R
		return zero, err
	}
	return reply, err
}

// decodeReply decodes the acknowledgement of an event. Its error is a
// *DecodeError.
func (c *Conn) decodeReply(event string, data body, reply any) error {
	err := ErrTooDeep
	if !exceedsDepth(data.data, c.cfg.MaxNesting) {
		err = decodeReply(event, data, reply)
	}
	if err != nil {
		return decodeError(event, data.data, err)
	}
	return nil
}
