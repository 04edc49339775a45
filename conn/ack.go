package conn

import (
	"context"
	"errors"

	"github.com/seed67206a74/parley/internal/socketio"
)

// An Ack answers one event of the server, on the session that it came on. Of
// several answers to the same event the server hears the first.
type Ack struct {
	session *Session
	id      int64
}

// Ack returns what answers the event. It stays good after Listener.Receive.
func (p Payload) Ack() Ack { return Ack{p.session, p.id} }

// Wanted reports whether the server has asked for an acknowledgement.
func (a Ack) Wanted() bool { return a.session != nil && a.id != socketio.NoID }

// Context ends with the session: after that an answer reaches nobody.
func (a Ack) Context() context.Context {
	if a.session == nil {
		return context.Background()
	}
	return a.session.ctx
}

// Send sends the acknowledgement, and returns when it is written or ctx ends.
// It does nothing when none is wanted. The arguments are encoded as those of
// Emit are.
func (a Ack) Send(ctx context.Context, args ...any) error {
	if !a.Wanted() {
		return nil
	}
	data, err := encodeArgs(args)
	if err != nil {
		return err
	}
	_, err = a.session.send(ctx, socketio.Ack, a.id, data)
	return err
}

// Reply sends what a handler has come to: its reply or, if failure is not nil,
// {"error": "…"} with its text, or what a [*ReplyError] in it says. A reply
// that cannot be encoded is a failure.
func (a Ack) Reply(ctx context.Context, reply any, failure error) error {
	var chosen *ReplyError
	switch {
	case failure == nil:
	case errors.As(failure, &chosen):
		reply = chosen.Reply
	default:
		reply = errorReply(failure)
	}
	err := a.Send(ctx, reply)
	if err == nil || ctx.Err() != nil || errors.Is(err, ErrSessionLost) {
		return err
	}
	return a.Send(ctx, errorReply(err))
}

func errorReply(err error) any { return map[string]string{"error": err.Error()} }
