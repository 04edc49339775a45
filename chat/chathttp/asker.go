package chathttp

import (
	"context"
	"iter"
	"time"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/events"
)

// An Answer is the answer to one question. A *chat.Stream and the Stream of
// chatnats are Answers: they keep all events for any number of readers.
type Answer interface {
	// RequestID returns the request id of the question.
	RequestID() string

	// Follow iterates over the events, from the first, in batches. After each
	// tick of silence it yields an empty batch.
	Follow(ctx context.Context, tick time.Duration) iter.Seq2[[]events.Event, error]

	// Wait waits for the end of the answer.
	Wait() (events.AIMessage, error)

	// Abort asks the backend to stop, and ends the answer.
	Abort(reason string)
}

// An Asker asks questions. A *chat.Client is an Asker of *chat.Stream.
type Asker[A Answer] interface {
	// Ask asks a question, and returns when it was sent. ctx also bounds the
	// answer.
	Ask(ctx context.Context, q chat.Question) (A, error)
}

// askFunc is an Asker of any kind of Answer.
type askFunc func(ctx context.Context, q chat.Question) (Answer, error)

func askWith[A Answer](asker Asker[A]) askFunc {
	return func(ctx context.Context, q chat.Question) (Answer, error) {
		answer, err := asker.Ask(ctx, q)
		if err != nil { // answer may be a nil pointer
			return nil, err
		}
		return answer, nil
	}
}
