package chat

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
)

// abortTimeout bounds how long a stream that is given up waits for its abort
// to be written.
const abortTimeout = time.Second

// A Question is a message that wants an answer. UserID is required.
type Question struct {
	UserID events.ID
	Text   string
	Parts  []events.Part

	MessageID string    // default: a random one
	RequestID string    // what the answer is known by; default: a random one
	TraceID   string    // default: none
	ChatID    events.ID // default: the client's
}

// Ask sends a question and returns the stream of its answer. It waits until
// the client is Ready and the question is written; its error is a
// [*conn.SendError], [ErrNoUser] or [ErrDuplicateRequest].
//
// The answer is what carries the question's RequestID. A backend that leaves
// it out is understood as long as one question at a time is in flight in the
// chat; with several the streams end with [ErrAmbiguous].
//
// ctx is the stream's as well as Ask's: when it ends before the answer does,
// the backend is sent an abort with the RequestID if the connection is there
// to send it, and then the stream ends with ctx's error.
func (c *Client) Ask(ctx context.Context, q Question) (*Stream, error) {
	if q.UserID.IsZero() {
		return nil, ErrNoUser
	}
	setDefault(&q.MessageID, rand.Text())
	setDefault(&q.RequestID, rand.Text())
	setDefault(&q.ChatID, c.cfg.ChatID)
	ctx, release, err := c.conn.Hold(ctx)
	if err != nil {
		return nil, &conn.SendError{Event: c.names.name(events.KeyUserMessage), Err: err}
	}
	s := newStream(ctx, &c.streams, q)
	s.release = release
	if !c.streams.add(s) {
		s.kill()
		release()
		return nil, ErrDuplicateRequest
	}
	if err := c.ask(ctx, q, s); err != nil {
		var failed *conn.SendError
		if errors.As(err, &failed) && failed.MaybeSent {
			s.giveUp(err, "")
		} else {
			s.withdraw()
			s.finish(events.AIMessage{}, err)
		}
		return nil, err
	}
	s.begin()
	return s, nil
}

// ask sends the question.
func (c *Client) ask(ctx context.Context, q Question, s *Stream) error {
	return c.send(ctx, c.names.named(events.KeyUserMessage), events.UserMessage{
		ChatID: q.ChatID, TraceID: q.TraceID, RequestID: q.RequestID,
		MessageID: q.MessageID, UserID: q.UserID, Text: q.Text, Parts: q.Parts,
	}, func(on *conn.Session) { s.sending(on.Epoch()) })
}

// Answer asks a question and waits for the whole answer: Ask, and Wait.
func (c *Client) Answer(ctx context.Context, q Question) (events.AIMessage, error) {
	s, err := c.Ask(ctx, q)
	if err != nil {
		return events.AIMessage{}, err
	}
	return s.Wait()
}
