package chathttp

import (
	"context"
	"errors"
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
	toStop    bool   // it was found to be stopped at once, and is not limited

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

// A reading finds out how the events of an answer end.
type reading struct {
	e     *entry
	final bool // the last event is the final message
	err   error
}

// next takes a pair of Answer.Follow. It returns false if it has an error.
func (r *reading) next(batch []events.Event, err error) bool {
	if err != nil {
		r.err = r.e.cause(err)
		return false
	}
	if len(batch) > 0 {
		_, r.final = batch[len(batch)-1].(events.AIMessage)
	}
	return true
}

// end returns the error of the answer after the last pair: nil after its final
// message.
func (r *reading) end() error {
	if r.err == nil && !r.final {
		return errNoMessage
	}
	return r.err
}

// longWait is a silence that counts as a part of the next tick.
const longWait = time.Second

// awaitAsked waits until the question is asked, and calls beat after each tick.
// It returns the error of Ask or of ctx.
func (e *entry) awaitAsked(ctx context.Context, tick time.Duration, beat func()) error {
	var ticks <-chan time.Time
	if tick > 0 {
		ticker := time.NewTicker(tick)
		defer ticker.Stop()
		ticks = ticker.C
	}
	for last := time.Now(); ; last = time.Now() {
		select {
		case <-e.asked:
			if e.err == nil && tick > 0 && time.Since(last) >= longWait {
				beat() // the next tick begins now
			}
			return e.err
		case <-ticks:
			beat()
		case <-ctx.Done():
			return ctx.Err()
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
