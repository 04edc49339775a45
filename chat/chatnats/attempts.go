package chatnats

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/seed67206a74/parley/bus"
)

// ErrHung: a handler did not return for GroupConfig.Timeout after its ctx had
// ended.
var ErrHung = errors.New("chatnats: handler did not return after its timeout")

// A nakError is the error of [Nak].
type nakError struct {
	delay time.Duration
	err   error
}

func (e *nakError) Error() string { return fmt.Sprintf("chatnats: again in %v: %v", e.delay, e.err) }
func (e *nakError) Unwrap() error { return e.err }

// Nak returns an error for a handler: the event is handled again after delay,
// instead of GroupConfig.Backoff. The attempt counts. If the chats of a
// partition whose events fail have 1,024 events, the partition waits for them.
// Then the delay ends after that of GroupConfig.Backoff.
func Nak(delay time.Duration, err error) error { return &nakError{delay, err} }

// A termError is the error of [Term].
type termError struct{ err error }

func (e *termError) Error() string { return fmt.Sprintf("chatnats: no further attempt: %v", e.err) }
func (e *termError) Unwrap() error { return e.err }

// Term returns an error for a handler: there is no further attempt, and the
// event becomes a dead letter.
func Term(err error) error { return &termError{err} }

// A DeadLetter is an event that a group has given up. See GroupConfig.OnDead.
type DeadLetter struct {
	Delivery
	Err error // of the last attempt; Delivery.Attempt is its number
}

// The headers of a dead letter, besides those of the event.
const (
	HeaderError    = "Parley-Error"    // the text of the last error
	HeaderAttempts = "Parley-Attempts" // the number of attempts
	HeaderSequence = "Parley-Sequence" // the event's sequence in the stream
)

// finish handles the event of a job until an attempt succeeds or the event is a
// dead letter. It returns false if the job's ctx or that of the worker ends
// before that.
func (w *worker) finish(q *queues, j *job) bool {
	ctx, d := j.ctx, j.delivery
	count := w.countAttempts(d)
	for {
		err := w.attempt(ctx, &d, count)
		switch {
		case err == nil:
			count.forget()
			w.bus.count.handled.Add(1)
			return true
		case errors.Is(err, errNotStarted):
			return false
		case w.ctx.Err() != nil:
			count.undo()
			return false
		}
		w.bus.count.failed.Add(1)
		_, last := errors.AsType[*termError](err)
		if last || d.Attempt >= w.cfg.MaxAttempts || errors.Is(err, ErrHung) {
			if !w.bury(ctx, DeadLetter{d, err}) {
				return false
			}
			count.forget()
			return true
		}
		w.bus.log.Warn("chatnats: handler failed", "group", w.cfg.Name, "sequence", d.Sequence, "attempt", d.Attempt, "error", err)
		if !q.pause(ctx, w.cfg.delayOf(d.Attempt, err), w.cfg.backoffOf(d.Attempt)) {
			return false
		}
	}
}

// delayOf returns the delay after an attempt that failed with err.
func (c GroupConfig) delayOf(attempt int, err error) time.Duration {
	if nak, ok := errors.AsType[*nakError](err); ok {
		return nak.delay
	}
	return c.backoffOf(attempt)
}

// backoffOf returns Backoff after the first attempt, and twice as much after
// each further one, up to maxBackoff or Backoff.
func (c GroupConfig) backoffOf(attempt int) time.Duration {
	backoff, limit := c.Backoff, max(maxBackoff, c.Backoff)
	for range attempt - 1 {
		if backoff *= 2; backoff >= limit {
			return limit
		}
	}
	return backoff
}

var errNotStarted = errors.New("chatnats: the event goes to another worker")

// attempt counts an attempt, and calls the handler once unless the limit is
// exceeded. The handler has a goroutine of its own, so that attempt returns
// even if it hangs.
func (w *worker) attempt(ctx context.Context, d *Delivery, count *attemptCount) error {
	select {
	case w.slots <- struct{}{}:
	case <-ctx.Done():
		return errNotStarted
	}
	defer func() { <-w.slots }()
	count.next(ctx, d.Redelivered)
	if ctx.Err() != nil {
		count.undo()
		return errNotStarted
	}
	if count.number > w.cfg.MaxAttempts {
		d.Attempt = count.number - 1
		return ErrUnfinished
	}
	d.Attempt = count.number
	// Not ctx: an event that is being handled when the partition moves is
	// finished.
	handling, cancel := context.WithTimeout(w.ctx, w.cfg.Timeout)
	done := make(chan error, 1)
	go func() { // ends with the handler
		defer cancel()
		done <- w.call(handling, *d)
	}()
	hung := time.NewTimer(2 * w.cfg.Timeout)
	defer hung.Stop()
	select {
	case err := <-done:
		return err
	case <-hung.C:
		return ErrHung
	}
}

func (w *worker) call(ctx context.Context, d Delivery) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = bus.NewPanicError(p)
		}
	}()
	return w.handle(ctx, d)
}

// bury publishes a dead letter, and calls OnDead. It returns false if ctx ends
// before the stream of dead letters, if there is one, has stored it.
func (w *worker) bury(ctx context.Context, dead DeadLetter) bool {
	log := w.bus.log.With("group", w.cfg.Name, "sequence", dead.Sequence, "chat", dead.ChatID.String(), "attempts", dead.Attempt)
	msg, err := w.deadLetter(dead)
	for pause := firstPause; err == nil; pause = min(2*pause, longPause) {
		failed := w.publish(ctx, msg)
		if failed == nil {
			break
		}
		if errors.Is(failed, nats.ErrMaxPayload) {
			err = failed
			break
		}
		log.Warn("chatnats: dead letter not stored", "error", failed)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return false
		}
	}
	w.bus.count.dead.Add(1)
	log.Error("chatnats: dead letter", "error", errors.Join(dead.Err, err))
	if w.cfg.OnDead != nil {
		defer func() {
			if p := recover(); p != nil {
				log.Error("chatnats: OnDead panicked", "panic", p)
			}
		}()
		w.cfg.OnDead(dead)
	}
	return true
}

// publish publishes a dead letter. If a stream has its subject, publish waits
// until the letter is stored.
func (w *worker) publish(ctx context.Context, msg *nats.Msg) error {
	ctx, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()
	_, err := w.bus.js.StreamNameBySubject(ctx, msg.Subject)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return w.bus.conn.PublishMsg(msg)
	}
	if err != nil {
		return err
	}
	_, err = w.bus.js.PublishMsg(ctx, msg, jetstream.WithRetryAttempts(0))
	return err
}

// deadLetter returns the message of a dead letter: that of the event, with
// further headers.
func (w *worker) deadLetter(dead DeadLetter) (*nats.Msg, error) {
	e := encoder{bus: w.bus, chat: dead.ChatID}
	msg, err := e.encode(dead.Event)
	if err != nil {
		return nil, err
	}
	msg.Subject = w.cfg.DeadSubject + strings.TrimPrefix(msg.Subject, w.bus.prefix)
	sequence := strconv.FormatUint(dead.Sequence, 10)
	msg.Header.Set(jetstream.MsgIDHeader, w.cfg.Name+" "+sequence)
	msg.Header.Set(HeaderSequence, sequence)
	msg.Header.Set(HeaderAttempts, strconv.Itoa(dead.Attempt))
	msg.Header.Set(HeaderError, headerValue(dead.Err.Error()))
	return msg, nil
}
