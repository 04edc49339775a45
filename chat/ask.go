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
	done, err := c.conn.Begin()
	if err != nil {
		return nil, &conn.SendError{Event: c.name(events.KeyUserMessage), Err: err}
	}
	s := newStream(ctx, c, q)
	s.release = done
	if !c.streams.add(s) {
		done()
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
	c.streams.attach(s)
	return s, nil
}

// ask sends the question.
func (c *Client) ask(ctx context.Context, q Question, s *Stream) error {
	return c.send(ctx, c.named(events.KeyUserMessage), events.UserMessage{
		ChatID: q.ChatID, TraceID: q.TraceID, RequestID: q.RequestID,
		MessageID: q.MessageID, UserID: q.UserID, Text: q.Text, Parts: q.Parts,
	}, s.sending)
}

// Answer asks a question and waits for the whole answer: Ask, and Wait.
func (c *Client) Answer(ctx context.Context, q Question) (events.AIMessage, error) {
	s, err := c.Ask(ctx, q)
	if err != nil {
		return events.AIMessage{}, err
	}
	return s.Wait()
}

// abort sends the backend an abort, if the client is Ready. It returns when the
// abort is written, or after abortTimeout.
func (s *Stream) abort(reason string) {
	c := s.client
	if c.State().Phase != conn.Ready {
		return
	}
	ctx, cancel := context.WithTimeout(c.currentRun(), abortTimeout)
	defer cancel()
	c.mu.Lock()
	session := c.session
	c.mu.Unlock()
	// The stream ends whether this fails or not.
	_ = session.Emit(ctx, c.name(events.KeyAIAbort), c.base.with(events.Abort{
		ChatID: s.question.ChatID, TraceID: s.question.TraceID, RequestID: s.question.RequestID, Reason: reason,
	}))
}
