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
//
// If an Asker also has the method JoinShared of a *chat.Client, the Server
// joins the rooms of questions; see Config.NoJoin.
type Asker[A Answer] interface {
	// Ask asks a question, and returns when it was sent. ctx also bounds the
	// answer.
	Ask(ctx context.Context, q chat.Question) (A, error)
}

// An askFunc asks a question of a visitor. release is called once, after the
// end of the answer. The room of the question may be left when it has been idle
// for that long.
type askFunc func(ctx context.Context, v Visitor, q chat.Question, idle time.Duration) (answer Answer, release func(), err error)

// askIn asks a question after it has joined its room. rooms may be nil.
func askIn[A Answer](ctx context.Context, asker Asker[A], rooms *rooms, q chat.Question, idle time.Duration) (Answer, func(), error) {
	leave := func() {}
	if rooms != nil {
		var err error
		if leave, err = rooms.enter(ctx, q.ChatID, idle); err != nil {
			return nil, nil, err
		}
	}
	answer, err := asker.Ask(ctx, q)
	if err != nil { // answer may be a nil pointer
		leave()
		return nil, nil, err
	}
	return answer, leave, nil
}
