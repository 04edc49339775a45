package web

import (
	"context"
	"iter"
	"strings"
	"time"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/chat/chathttp"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
)

// endings has the errors that can end an answer, by their codes.
var endings = map[string]error{
	"no_token": chat.ErrNoToken, "stalled": chat.ErrStalled, "offline": chat.ErrOffline, "question_lost": chat.ErrQuestionLost,
	"ambiguous": chat.ErrAmbiguous, "bad_index": chat.ErrIndex, "stopped": chat.ErrStopped, "too_long": chat.ErrTooLong,
	"gap": &chat.GapError{}, "unreadable": &conn.DecodeError{Err: context.Canceled}, "not_joined": &chat.JoinError{Err: context.Canceled},
	"unavailable": &conn.SendError{Err: conn.ErrNotReady}, "timeout": context.DeadlineExceeded, "backend_error": &events.AIError{},
}

// An asker is a client that ends the answer to "end" and a code with the error
// of that code.
type asker struct{ *chat.Client }

func (a asker) Ask(ctx context.Context, q chat.Question) (chathttp.Answer, error) {
	if code, ok := strings.CutPrefix(q.Text, "end "); ok {
		return ended{endings[code]}, nil
	}
	answer, err := a.Client.Ask(ctx, q)
	if err != nil {
		return nil, err
	}
	return answer, nil
}

// An ended answer has one token, and ends with an error.
type ended struct{ err error }

func (a ended) RequestID() string               { return "ended" }
func (a ended) Wait() (events.AIMessage, error) { return events.AIMessage{}, a.err }
func (a ended) Abort(string)                    {}

func (a ended) Follow(context.Context, time.Duration) iter.Seq2[[]events.Event, error] {
	return func(yield func([]events.Event, error) bool) {
		_ = yield([]events.Event{events.AIToken{Token: "We"}}, nil) && yield(nil, a.err)
	}
}
