package conn

import (
	"context"
	"errors"
	"time"

	"github.com/seed67206a74/parley/internal/socketio"
)

// CallRepeatedly is Call, but sends the event again each time that no
// acknowledgement has arrived for the given time, at most max times in all; 0
// means no limit. The first acknowledgement of any attempt is the result.
//
// It returns how often the event was sent, or may have been. If the last
// attempt gets no reply, the error is a [*SendError] with
// [context.DeadlineExceeded]. The function event returns the name of the event
// for each attempt.
func (s *Session) CallRepeatedly(ctx context.Context, reply any, after time.Duration, max int, event func() string, args ...any) (sent int, err error) {
	replies := make(chan body, 1)
	var ids []int64
	defer func() {
		for _, id := range ids {
			s.takeAck(id)
		}
	}()
	for {
		ids = append(ids, s.expectAck(replies))
		name := event()
		o, err := s.conn.encodeEvent(name, args)
		if err != nil {
			return sent, &SendError{Event: name, MaybeSent: sent > 0, Err: err}
		}
		answer, handed, err := s.attempt(ctx, after, ids[len(ids)-1], o, replies)
		if handed {
			sent++
		}
		switch {
		case err == nil:
			return sent, s.conn.decodeReply(name, answer, reply)
		case ctx.Err() != nil:
			err = ctx.Err()
		case errors.Is(err, context.DeadlineExceeded) && (!handed || sent != max):
			continue
		}
		return sent, &SendError{Event: name, MaybeSent: sent > 0, Err: err}
	}
}

// attempt sends an event once and waits for the acknowledgement, for the given
// time. handed reports whether the server may have received the event.
func (s *Session) attempt(ctx context.Context, limit time.Duration, id int64, o *outgoing, replies <-chan body) (answer body, handed bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	defer o.release()
	handed, err = s.send(ctx, socketio.Event, id, o)
	if err == nil {
		return s.await(ctx, o, replies)
	}
	select {
	case answer := <-replies: // to an attempt before this one
		return answer, handed, nil
	default:
		return body{}, handed, err
	}
}
