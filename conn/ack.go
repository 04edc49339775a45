package conn

import (
	"context"
	"errors"

	"github.com/seed67206a74/parley/internal/socketio"
)

// An Ack acknowledges one event of the server, on the session that the event
// arrived on. If several acknowledgements are sent for one event, the server
// uses the first.
type Ack struct {
	session *Session
	id      int64
}

// Ack returns the acknowledgement of the event. It remains valid after
// Listener.Receive has returned.
func (p Payload) Ack() Ack { return Ack{p.session, p.id} }

// Wanted reports whether the server asked for an acknowledgement.
func (a Ack) Wanted() bool { return a.session != nil && a.id != socketio.NoID }

// Context returns a context that ends with the session. After that an
// acknowledgement cannot be sent.
func (a Ack) Context() context.Context {
	if a.session == nil {
		return context.Background()
	}
	return a.session.ctx
}

// Send sends the acknowledgement. It returns when that is written or ctx ends,
// and does nothing if the server did not ask for one. Its error is
// [ErrSessionLost] if the session has ended. The arguments are encoded as those
// of [Conn.Emit] are.
func (a Ack) Send(ctx context.Context, args ...any) error {
	if !a.Wanted() {
		return nil
	}
	o, err := a.session.conn.encodeArgs(args)
	if err != nil {
		return err
	}
	defer o.release()
	_, err = a.session.send(ctx, socketio.Ack, a.id, o)
	return err
}

// Reply sends the result of a handler: reply or, if failure is not nil,
// {"error": "…"} with its text. A reply of type [Args] is sent as several
// arguments. If failure contains a [*ReplyError], its Reply
// is sent instead. If a reply cannot be encoded, Reply sends the encoder's
// error in the same form.
func (a Ack) Reply(ctx context.Context, reply any, failure error) error {
	var chosen *ReplyError
	switch {
	case failure == nil:
	case errors.As(failure, &chosen):
		reply = chosen.Reply
	default:
		reply = errorReply(failure)
	}
	err := a.Send(ctx, arguments(reply)...)
	if err == nil || ctx.Err() != nil || errors.Is(err, ErrSessionLost) {
		return err
	}
	return a.Send(ctx, errorReply(err))
}

// arguments returns the arguments of an acknowledgement.
func arguments(reply any) []any {
	several, ok := reply.(Args)
	if !ok {
		return []any{reply}
	}
	args := make([]any, len(several))
	for i, arg := range several {
		args[i] = arg
	}
	return args
}

func errorReply(err error) any { return map[string]string{"error": err.Error()} }
