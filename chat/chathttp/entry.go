package chathttp

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/eventsize"
)

// errLeft ends an answer whose last reader has left.
var errLeft = errors.New("chathttp: the last reader has left")

// errNoMessage ends an answer whose Follow ends with neither a message nor an
// error.
var errNoMessage = errors.New("chathttp: the answer ended without a final message")

// chatKey is a chat of a user. Users who share a chat have their own answers.
type chatKey struct{ user, chat string }

// An entry is an answer with its readers.
type entry struct {
	key       chatKey
	requestID string
	began     time.Time
	ctx       context.Context // of the answer
	cancel    context.CancelCauseFunc
	release   func() // of ctx and of the timer of Config.AnswerTimeout
	own       bool   // the server has made the chat for this question only

	asked  chan struct{} // closed when answer or err is set
	answer Answer
	err    error         // of Ask
	done   chan struct{} // closed when end has returned

	// Guarded by answers.mu.
	readers int
	ended   bool
	endedAt time.Time
	left    bool        // aborted because the last reader has left
	timer   *time.Timer // until it is aborted or, after the end, dropped
	bytes   int
}

// abort aborts the answer, and returns when it has ended.
func (e *entry) abort(reason string) {
	select {
	case <-e.asked:
		if e.answer != nil {
			e.answer.Abort(reason)
		}
	default:
		e.cancel(chat.ErrAborted)
	}
	<-e.done
}

// cause returns the error of an answer. In place of the error of its ctx it
// returns the cause.
func (e *entry) cause(err error) error {
	if cause := context.Cause(e.ctx); err != nil && cause != nil && errors.Is(err, context.Canceled) {
		return errors.Join(cause, err)
	}
	return err
}

// follow iterates over the events of the answer in batches, as Answer.Follow
// does, also while the question waits. If the answer ends without a final
// message, the last pair has an error.
func (e *entry) follow(ctx context.Context, tick time.Duration) iter.Seq2[[]events.Event, error] {
	return func(yield func([]events.Event, error) bool) {
		if !e.waitAsked(ctx, tick, yield) {
			return
		}
		final := false
		for batch, err := range e.answer.Follow(ctx, tick) {
			if err != nil {
				yield(nil, e.cause(err))
				return
			}
			if len(batch) > 0 {
				_, final = batch[len(batch)-1].(events.AIMessage)
			}
			if !yield(batch, nil) {
				return
			}
		}
		if !final {
			yield(nil, errNoMessage)
		}
	}
}

// longWait is a silence that counts as a part of the next tick.
const longWait = time.Second

// waitAsked waits until the question is asked, and yields an empty batch after
// each tick. It returns false if it has yielded an error, or yield has returned
// false.
func (e *entry) waitAsked(ctx context.Context, tick time.Duration, yield func([]events.Event, error) bool) bool {
	var ticks <-chan time.Time
	if tick > 0 {
		ticker := time.NewTicker(tick)
		defer ticker.Stop()
		ticks = ticker.C
	}
	for last := time.Now(); ; last = time.Now() {
		select {
		case <-e.asked:
			if e.err != nil {
				yield(nil, e.err)
				return false
			}
			// The next tick begins now.
			return tick <= 0 || time.Since(last) < longWait || yield(nil, nil)
		case <-ticks:
			if !yield(nil, nil) {
				return false
			}
		case <-ctx.Done():
			yield(nil, ctx.Err())
			return false
		}
	}
}

// entryBytes is about the memory of an ended answer without its events.
const entryBytes = 2 << 10

// size returns about the memory of an ended answer.
func (e *entry) size() int {
	bytes := entryBytes + len(e.key.user) + len(e.key.chat)
	if e.answer == nil {
		return bytes
	}
	for batch := range e.answer.Follow(context.Background(), 0) {
		for _, event := range batch {
			bytes += eventsize.Of(event)
		}
	}
	return bytes
}
