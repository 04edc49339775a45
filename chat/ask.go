package chat

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
)

// abortTimeout limits how long an aborted stream waits for its abort to be
// written.
const abortTimeout = time.Second

// A Question is a message that asks for an answer. UserID is required, so Ask
// takes a Question and not a text.
type Question struct {
	UserID events.ID
	Text   string
	Parts  []events.Part

	MessageID string    // default: a random one
	RequestID string    // identifies the answer; default: a random one
	TraceID   string    // default: none
	ChatID    events.ID // default: the client's

	// Meta is merged into the payload, as Config.Meta is. It replaces fields of
	// Config.Meta, and the question's own fields replace it. Default: nil.
	Meta map[string]any
}

// Ask sends a question and returns the stream of its answer. It waits until
// the client is Ready and the question is written. Its error is a
// [*conn.SendError], [ErrNoUser] or [ErrDuplicateRequest].
//
// The events of the answer carry the question's RequestID. A backend may leave
// it out while one question at a time is in flight in the chat; with several,
// their streams end with [ErrAmbiguous]. If the backend has left it out, Ask
// also waits until an abandoned answer of the chat has ended, for at most
// StreamConfig.AbandonedTimeout.
//
// ctx belongs to Ask and to the stream. When it ends before the answer, the
// stream sends an abort with the RequestID, if there is a session, and then
// ends with ctx's error.
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
	asking := false
	defer func() {
		if !asking { // an observer has called runtime.Goexit
			release()
		}
	}()
	ctx = c.observers.onAsk(ctx, &q)
	s := newStream(ctx, &c.streams, q)
	s.release = release
	asking = true
	if !c.streams.add(s) {
		s.kill()
		release()
		c.observers.onAnswerEnd(s, events.AIMessage{}, ErrDuplicateRequest)
		return nil, ErrDuplicateRequest
	}
	returned := false
	defer func() {
		if !returned { // the encoding of a Part panicked
			s.withdraw()
			s.finish(events.AIMessage{}, ErrAborted)
		}
	}()
	err = c.streams.awaitOthers(ctx, s.own.chat)
	if err != nil {
		err = &conn.SendError{Event: c.names.name(events.KeyUserMessage), Err: err, State: "waiting for another answer in the chat"}
	} else {
		err = c.ask(ctx, q, s)
	}
	returned = true
	if err != nil {
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
	base, err := c.base.merge(q.Meta)
	if err != nil {
		return &conn.SendError{Event: c.names.name(events.KeyUserMessage), Err: err}
	}
	return c.send(ctx, c.names.named(events.KeyUserMessage), base.with(events.UserMessage{
		ChatID: q.ChatID, TraceID: q.TraceID, RequestID: q.RequestID,
		MessageID: q.MessageID, UserID: q.UserID, Text: q.Text, Parts: q.Parts,
	}), func(on *conn.Session) { s.sending(on.Epoch()) })
}

// Answer sends a question and waits for the final message: it calls Ask and
// Wait.
func (c *Client) Answer(ctx context.Context, q Question) (events.AIMessage, error) {
	s, err := c.Ask(ctx, q)
	if err != nil {
		return events.AIMessage{}, err
	}
	return s.Wait()
}
