package conn

import (
	"context"

	"github.com/seed67206a74/parley/internal/socketio"
)

// Emit sends an event. Each argument is encoded as
// github.com/go-json-experiment/json does it; a json.RawMessage goes out as it
// stands, and a []byte, at whatever depth, as a binary attachment (a nil one as
// null). The slices must not change until Emit has returned.
//
// Emit waits until the connection is Ready, there is room in the queue and the
// event is written to the socket; ctx bounds that wait, and nothing else. An
// error is a [*SendError] that says whether the event may have been sent.
// Written is not the same as received: for that there is [Call].
func (c *Conn) Emit(ctx context.Context, event string, args ...any) error {
	data, err := encodeEvent(event, args)
	if err != nil {
		return &SendError{Event: event, Err: err}
	}
	return c.send(ctx, event, func(s *Session) error { return s.emit(ctx, event, data) })
}

// TryEmit sends an event now or never, as what Socket.IO calls a volatile event:
// when the connection is not Ready, or its queue is full, the event is dropped
// at once, and the error is a [*SendError] with [ErrNotReady]. It waits for
// nothing, not even for the event to be written; a session that is lost before
// loses the event. Byte slices in the arguments must not change any more.
func (c *Conn) TryEmit(event string, args ...any) error {
	data, err := encodeEvent(event, args)
	if err == nil {
		err = c.tryEmit(data)
	}
	if err != nil {
		return &SendError{Event: event, Err: err}
	}
	return nil
}

func (c *Conn) tryEmit(data body) error {
	c.mu.Lock()
	s, closed := c.ready, c.closed || c.draining
	c.mu.Unlock()
	switch {
	case closed:
		return ErrClosed
	case s == nil:
		c.counters.dropped.Add(1)
		return ErrNotReady
	}
	if _, err := s.queue.tryPut(s.outgoing(socketio.Event, socketio.NoID, data)); err != nil {
		c.counters.dropped.Add(1)
		return ErrNotReady // a session that has just ended is not ready either
	}
	return nil
}

// Call sends an event and waits for the server's acknowledgement, whose first
// argument is decoded into R; with [Args] or [Event] for R it gets all of them.
// It waits for Ready as Emit does, and ends with its ctx; an acknowledgement
// that comes later is dropped. An error before the acknowledgement is a
// [*SendError]; one that does not fit R is a [*DecodeError].
func Call[R any](ctx context.Context, c *Conn, event string, args ...any) (R, error) {
	var reply R
	data, err := encodeEvent(event, args)
	if err == nil {
		err = c.send(ctx, event, func(s *Session) error { return s.call(ctx, &reply, event, data) })
	} else {
		err = &SendError{Event: event, Err: err}
	}
	if err != nil {
		var zero R
		return zero, err
	}
	return reply, nil
}

// decodeReply decodes the acknowledgement of an event. Its error is a
// *DecodeError.
func (c *Conn) decodeReply(event string, data body, reply any) error {
	err := ErrTooDeep
	if !exceedsDepth(data.data, c.cfg.MaxNesting) {
		err = decodeReply(event, data, reply)
	}
	if err != nil {
		return &DecodeError{Event: event, Raw: data.data, Err: err}
	}
	return nil
}
