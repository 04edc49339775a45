package conn

import (
	"context"
	"errors"

	"github.com/seed67206a74/parley/conn/internal/socketio"
)

// Emit sends an event. Each argument is encoded as
// github.com/go-json-experiment/json does it; a json.RawMessage goes out as it
// stands.
//
// Emit waits until the connection is Ready and the event is written to the
// socket; ctx bounds that wait, and nothing else. An error is a [*SendError]
// that says whether the event may have been sent. Written is not the same as
// received: for that there is [Call].
func (c *Conn) Emit(ctx context.Context, event string, args ...any) error {
	data, err := encodeEvent(event, args)
	if err != nil {
		return &SendError{Event: event, Err: err}
	}
	for {
		s, err := c.awaitReady(ctx)
		if err != nil {
			return &SendError{Event: event, Err: err}
		}
		handed, err := s.send(ctx, s.packet(socketio.Event, socketio.NoID, data))
		switch {
		case err == nil:
			return nil
		case handed || !errors.Is(err, ErrSessionLost):
			return &SendError{Event: event, MaybeSent: handed, Err: err}
		}
		// The session ended before it took the event: wait for the next one.
	}
}

// Call sends an event and waits for the server's acknowledgement, whose first
// argument is decoded into R; with [Args] for R it gets all of them. It waits
// for Ready as Emit does, and ends with its ctx; an acknowledgement that comes
// later is dropped. An error before the acknowledgement is a [*SendError]; one
// that does not fit R is a [*DecodeError].
func Call[R any](ctx context.Context, c *Conn, event string, args ...any) (R, error) {
	var reply R
	data, err := c.call(ctx, event, args)
	if err != nil {
		return reply, err
	}
	if err := decodeReply(data, &reply); err != nil {
		var zero R
		return zero, &DecodeError{Event: event, Raw: data, Err: err}
	}
	return reply, nil
}

// call returns the payload of the acknowledgement.
func (c *Conn) call(ctx context.Context, event string, args []any) ([]byte, error) {
	data, err := encodeEvent(event, args)
	if err != nil {
		return nil, &SendError{Event: event, Err: err}
	}
	for {
		s, err := c.awaitReady(ctx)
		if err != nil {
			return nil, &SendError{Event: event, Err: err}
		}
		id, reply := s.expectAck()
		handed, err := s.send(ctx, s.packet(socketio.Event, id, data))
		if err == nil {
			data, err = s.awaitReply(ctx, reply)
		}
		if err == nil {
			return data, nil
		}
		s.takeAck(id)
		if handed || !errors.Is(err, ErrSessionLost) {
			return nil, &SendError{Event: event, MaybeSent: handed, Err: err}
		}
	}
}

// awaitReply waits for an acknowledgement.
func (s *session) awaitReply(ctx context.Context, reply <-chan []byte) ([]byte, error) {
	select {
	case data, ok := <-reply:
		if !ok {
			return nil, errBinary
		}
		return data, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-s.ended:
		select {
		case data, ok := <-reply: // it came just before the end
			if ok {
				return data, nil
			}
		default:
		}
		return nil, ErrSessionLost
	}
}
