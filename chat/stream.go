package chat

import (
	"cmp"
	"context"
	"sync"
	"time"

	"github.com/seed67206a74/parley/events"
)

// A Stream is the answer to one question, as it comes in. It keeps the answer,
// so that a reader may come late, be slow, or not come at all, without holding
// anything up. Its methods are safe for concurrent use.
//
// The text of the final message is the answer; tokens are how it was put
// together: in the order of their indices, each once, whatever order they came
// in. What is missing is waited for, and then bridged or reported as
// Config.Stream says.
//
// It ends with the final message, with an error of the backend (a
// [*events.AIError]), with the ctx of Ask, or with [ErrAborted], [ErrNoToken],
// [ErrStalled], [ErrOffline], a [*GapError], [ErrAmbiguous], [ErrTooLong], or
// [ErrStopped] when the client does. Of several the first counts: from then on
// nothing more is taken in.
type Stream struct {
	client   *Client
	question Question
	ctx      context.Context // Ask's
	limits   StreamConfig
	done     chan struct{}   // closed when the answer has ended
	alive    context.Context // ends with ctx or with the answer
	kill     context.CancelFunc
	release  func() // when it has ended: Shutdown waits for it
	named    bool   // the backend has used its request id; under streams.mu

	mu            sync.Mutex
	changed       chan struct{} // closed when something has come; nil when nobody waits
	answer        assembly
	out           bool              // the question has been sent, or may have been
	epoch         int               // of the session that it was sent on, or of the last one since
	asked         time.Time         // when the question had been sent; zero before
	begun         time.Time         // when the first token or message arrived; zero before
	down          bool              // there is no session
	working       int               // tools that are being run for it
	gapFrom       int               // the index that timers.gap waits for
	overdue       int               // the index of a token that has been waited for long enough; -1 for none
	lost          bool              // a session was lost, and not resumed: tokens may be missing
	resumePending bool              // StreamConfig.Resume has yet to ask for them
	final         *events.AIMessage // has come, while tokens may be missing
	ending        bool              // it is about to end, and takes no more events
	ended         bool
	message       events.AIMessage
	err           error
	unwatch       []func() bool // stops watching what may end the stream
	timers        timers
}

func newStream(ctx context.Context, c *Client, q Question) *Stream {
	s := &Stream{client: c, question: q, ctx: ctx, limits: c.cfg.Stream, done: make(chan struct{}), release: func() {}, overdue: -1}
	s.alive, s.kill = context.WithCancel(ctx)
	s.answer.limit = s.limits.ReorderLimit
	return s
}

// RequestID returns what the answer is known by.
func (s *Stream) RequestID() string { return s.question.RequestID }

// Wait waits until the answer has ended and returns the final message, or the
// error that the answer ended with. It gives the same answer however often it
// is asked, and from any goroutine.
func (s *Stream) Wait() (events.AIMessage, error) {
	<-s.done
	return s.message, s.err
}

// Abort ends the stream with [ErrAborted] and, if there is a connection, asks
// the backend to stop answering, for a reason that may be empty. It returns
// when that is written, within a second. Once the stream has ended it does nothing.
func (s *Stream) Abort(reason string) { s.giveUp(ErrAborted, reason) }

// sending notes that the question is about to go out on a session.
func (s *Stream) sending(on session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.out, s.epoch = true, on.epoch
}

// withdraw notes that the question has not gone out.
func (s *Stream) withdraw() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.out = false
}

// begin makes the end of ctx, the end of Run and the timeouts end the stream,
// after its question has been sent. None of them needs a goroutine until it
// happens.
func (s *Stream) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.out, s.asked = true, time.Now()
	if s.ending {
		return
	}
	runCtx := s.client.currentRun()
	s.unwatch = []func() bool{
		context.AfterFunc(s.ctx, func() { s.giveUp(s.ctx.Err(), "") }),
		context.AfterFunc(runCtx, func() { s.giveUp(cmp.Or(s.ctx.Err(), context.Cause(runCtx)), "") }),
	}
	if s.begun.IsZero() {
		s.timers.first = s.after(s.limits.FirstTokenTimeout, ErrNoToken)
	}
}

// sent reports whether the question has been sent for sure.
func (s *Stream) sent() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.asked.IsZero()
}

// position reports whether the question has been sent or may have been, and the
// index of the next token.
func (s *Stream) position() (out bool, next int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out, s.answer.next
}

// tryFinish reports whether the caller has to end the stream: true for the first
// call. s.mu is held.
func (s *Stream) tryFinish() bool {
	first := !s.ending
	s.ending = true
	return first
}

// giveUp aborts the answer and ends the stream with err, unless another
// goroutine does. It returns when the stream has ended.
func (s *Stream) giveUp(err error, reason string) {
	s.mu.Lock()
	first := s.tryFinish()
	s.mu.Unlock()
	if first {
		s.abandon(err, reason)
	}
	<-s.done
}

// fail is giveUp for the connection's reader, which must not block.
func (s *Stream) fail(err error) {
	s.mu.Lock()
	first := s.tryFinish()
	s.mu.Unlock()
	if first {
		go s.abandon(err, "") // ends within abortTimeout
	}
}

// abandon aborts and ends a stream for which tryFinish has returned true.
func (s *Stream) abandon(err error, reason string) {
	s.client.tools.abort(events.Abort{RequestID: s.question.RequestID})
	s.abort(reason)
	s.end(events.AIMessage{}, err)
}

// finish ends the stream without an abort, unless another goroutine ends it.
func (s *Stream) finish(m events.AIMessage, err error) {
	s.mu.Lock()
	first := s.tryFinish()
	s.mu.Unlock()
	if first {
		s.end(m, err)
	}
}

// end ends a stream for which tryFinish has returned true.
func (s *Stream) end(m events.AIMessage, err error) {
	s.mu.Lock()
	s.ended, s.message, s.err = true, m, err
	s.wake()
	s.timers.stop()
	unwatch := s.unwatch
	answered := err == nil || s.final != nil
	s.mu.Unlock()

	for _, stop := range unwatch {
		stop()
	}
	if err != nil {
		s.client.tools.abort(events.Abort{RequestID: s.question.RequestID})
	}
	_, failed := err.(*events.AIError)
	s.client.streams.remove(s, answered || failed)
	s.client.streams.tally(err)
	s.kill()
	close(s.done)
	s.release()
}

// receive handles an event of this answer. Only the connection's reader calls
// it.
func (s *Stream) receive(event events.Event) {
	s.mu.Lock()
	if s.ending {
		s.mu.Unlock()
		return
	}
	s.timers.idle = restart(s.timers.idle, s.limits.IdleTimeout)
	switch event := event.(type) {
	case events.AIToken:
		s.markStarted()
		s.answer.add(event)
	case events.AIMessage:
		s.markStarted()
		s.final = &event
	case events.AIError:
		s.tryFinish()
		s.mu.Unlock()
		s.end(events.AIMessage{}, &event)
		return
	default:
		s.answer.note(event)
	}
	s.wake()
	s.check()
}

// check ends the stream if its answer is complete or has failed. It is called
// with s.mu held and unlocks it. The stream is not ending yet.
func (s *Stream) check() {
	gap := s.answer.gap()
	if gap == nil && s.final == nil && !s.answer.tooLong { // as for nearly every token
		stopTimer(&s.timers.gap)
		s.mu.Unlock()
		return
	}
	s.evaluate(gap)
}

// evaluate is check for an answer with a gap, a final message or too much data.
func (s *Stream) evaluate(gap *GapError) {
	late := gap != nil && (s.overdue == gap.From || s.answer.bufferFull())
	if gap == nil || late || gap.From != s.gapFrom {
		stopTimer(&s.timers.gap)
	}
	if gap != nil && !late && s.timers.gap == nil {
		s.gapFrom, s.timers.gap = gap.From, s.afterFunc(s.limits.GapTimeout, func() { s.gapIsLate(gap.From) })
	}

	var end func() // with s.mu released
	final := s.final
	switch {
	case s.answer.tooLong:
		end = func() { go s.abandon(ErrTooLong, "") } // the reader must not wait; ends within abortTimeout
	case late && final == nil && s.limits.OnGap == FailOnGap:
		end = func() { go s.abandon(gap, "") } // as above
	case final == nil && s.answer.bufferFull():
		s.answer.drop() // the final text will fill the gap
	case final == nil, gap != nil && !late:
	case gap == nil && !s.truncated(*final):
		end = func() { s.end(*final, nil) }
	default:
		if gap == nil {
			gap = &GapError{From: s.answer.next, To: s.answer.next}
		}
		if s.limits.OnGap == FillGap && s.answer.fill(*final) {
			end = func() { s.end(*final, nil) }
		} else {
			end = func() { s.end(events.AIMessage{}, gap) }
		}
	}
	if end != nil {
		s.tryFinish()
	}
	s.mu.Unlock()
	if end != nil {
		end()
	}
}

// truncated reports whether the final text shows that tokens at the end were
// lost with a session. If no session was lost or no token has arrived, a
// different text is the backend's choice.
func (s *Stream) truncated(final events.AIMessage) bool {
	return s.lost && s.answer.next > 0 && len(final.Text) > s.answer.text.Len() &&
		final.Text[:s.answer.text.Len()] == s.answer.text.String()
}

func (s *Stream) gapIsLate(from int) {
	s.mu.Lock()
	if s.ending || s.answer.next != from {
		s.mu.Unlock()
		return // the token has just arrived
	}
	s.timers.gap = nil
	s.overdue = from
	s.check()
}

// markStarted notes that the backend has begun to answer.
func (s *Stream) markStarted() {
	stopTimer(&s.timers.first)
	if s.begun.IsZero() {
		s.begun = time.Now()
	}
}

// wake wakes the readers that wait for more; s.mu is held.
func (s *Stream) wake() {
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
}
