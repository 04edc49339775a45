package chat

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
)

// abortTimeout bounds how long a client tries to tell the backend that an
// answer is no longer wanted.
const abortTimeout = 5 * time.Second

// A Question is a message that wants an answer. Only UserID and Text are
// needed.
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
// [*conn.SendError] or [ErrDuplicateRequest].
//
// The answer is what carries the question's RequestID. A backend that leaves
// it out is understood as long as one question at a time is in flight in the
// chat; with several, what has no RequestID belongs to none of them.
//
// ctx is the stream's as well as Ask's: when it ends before the answer does,
// the backend is sent an abort with the RequestID, and the stream ends with
// ctx's error.
func (c *Client) Ask(ctx context.Context, q Question) (*Stream, error) {
	if q.MessageID == "" {
		q.MessageID = rand.Text()
	}
	if q.RequestID == "" {
		q.RequestID = rand.Text()
	}
	if q.ChatID.IsZero() {
		q.ChatID = c.cfg.ChatID
	}
	s := newStream(ctx, c, q)
	if !c.answers.add(s) {
		return nil, ErrDuplicateRequest
	}
	err := c.SendMessage(ctx, events.UserMessage{
		ChatID: q.ChatID, TraceID: q.TraceID, RequestID: q.RequestID,
		MessageID: q.MessageID, UserID: q.UserID, Text: q.Text, Parts: q.Parts,
	})
	if err != nil {
		s.finish(events.AIMessage{}, err)
		var failed *conn.SendError
		if errors.As(err, &failed) && failed.MaybeSent {
			go s.abort() // ends within abortTimeout, and with Run
		}
		return nil, err
	}
	s.watch()
	return s, nil
}

// abort tells the backend that the answer is no longer wanted, if the
// connection that could say so is still there.
func (s *Stream) abort() {
	ctx, cancel := context.WithTimeout(s.client.lifetime(), abortTimeout)
	defer cancel()
	// That it fails changes nothing: the stream has ended.
	_ = s.client.Abort(ctx, events.Abort{
		ChatID: s.question.ChatID, TraceID: s.question.TraceID, RequestID: s.question.RequestID,
	})
}
