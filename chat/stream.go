package chat

import (
	"context"
	"sync"
	"time"

	"github.com/seed67206a74/parley/events"
)

// A Stream is the answer to one question, as it comes in. It keeps the answer,
// so that a reader may come late, be slow, or not come at all, without holding
// anything up. Its methods are safe for concurrent use.
//
// The text of the final message is the answer. Tokens are how it was written: in
// the order of their indices, each once, whatever order they arrived in. A
// missing token is waited for, and then filled in or reported, as Config.Stream
// says.
//
// A Stream ends with the final message, with an error of the backend (a
// [*events.AIError]), with the ctx of Ask, or with [ErrAborted], [ErrNoToken],
// [ErrStalled], [ErrOffline], a [*GapError], [ErrAmbiguous], [ErrTooLong], or
// [ErrStopped] when the client does. The first of them counts. Events that
// arrive later are ignored.
type Stream struct {
	owner    *streams
	question Question
	ctx      context.Context // Ask's; it belongs to the work that release ends
	release  func()          // ends the work, for Shutdown
	done     chan struct{}   // closed when the answer has ended
	alive    context.Context // ends with ctx or with the answer
	kill     context.CancelFunc
	named    bool // the backend has used the request id; under owner.mu

	mu      sync.Mutex    // taken after owner.mu; no other lock is taken while it is held
	changed chan struct{} // closed when something has arrived; nil while nobody waits
	phase   phase
	answer  assembly
	final   *events.AIMessage // has arrived, while tokens may be missing
	message events.AIMessage
	err     error
	unwatch func() bool // stops watching ctx

	// Epochs of the connection. A stream whose events come from another epoch
	// than its question may lack tokens.
	askedOn uint64 // of the session that the question was sent on; 0 before
	heardOn uint64 // of the last event
	resumed uint64 // of the last session that StreamConfig.Resume need not be called for
	runs    int64  // owner.runs when the question was sent

	limits limits
}

func newStream(ctx context.Context, owner *streams, q Question) *Stream {
	s := &Stream{owner: owner, question: q, ctx: ctx, release: func() {}, done: make(chan struct{})}
	s.alive, s.kill = context.WithCancel(ctx)
	s.answer.limit = owner.cfg.ReorderLimit
	return s
}

// RequestID returns the request id of the question.
func (s *Stream) RequestID() string { return s.question.RequestID }

// Wait waits until the answer has ended and returns the final message, or the
// error that the answer ended with. It may be called any number of times, from
// any goroutine.
func (s *Stream) Wait() (events.AIMessage, error) {
	<-s.done
	return s.message, s.err
}

// Abort ends the stream with [ErrAborted] and, if there is a connection, asks
// the backend to stop answering, for a reason that may be empty. It returns when
// that is written, within a second. After the stream has ended it does nothing.
func (s *Stream) Abort(reason string) { s.giveUp(ErrAborted, reason) }

// sending notes that the question is about to be written on a session of that
// epoch.
func (s *Stream) sending(epoch uint64) {
	runs := s.owner.runs.Load()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.advance(phaseSent)
	s.askedOn, s.heardOn, s.resumed, s.runs = epoch, epoch, epoch, runs
}

// withdraw notes that the question was not sent.
func (s *Stream) withdraw() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.askedOn = 0
}

// begin starts the limits of a stream whose question has been written.
func (s *Stream) begin() {
	state := s.owner.conn.State()
	s.mu.Lock()
	s.limits.asked = time.Now()
	s.advance(phaseAsked)
	if s.phase < phaseClosing {
		s.unwatch = context.AfterFunc(s.ctx, func() { s.giveUp(s.ctx.Err(), "") })
		if _, _, next := s.due(s.limits.asked, state); !next.IsZero() {
			s.arm(next)
		}
	}
	s.wake() // resume waits for this phase
	runs := s.runs
	s.mu.Unlock()
	if err := s.owner.stoppedSince(runs); err != nil { // Run has returned meanwhile
		s.giveUp(err, "")
	}
}

// isAsked reports whether the question is known to have been written.
func (s *Stream) isAsked() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.limits.asked.IsZero()
}

// position reports whether the question was sent or may have been, and the index
// of the next token.
func (s *Stream) position() (out bool, next int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.askedOn != 0, s.answer.next
}

// isOut reports whether the question was sent or may have been.
func (s *Stream) isOut() bool {
	out, _ := s.position()
	return out
}

// giveUp aborts the answer and ends the stream with err, unless another
// goroutine ends it. It returns when the stream has ended.
func (s *Stream) giveUp(err error, reason string) {
	if s.tryFinish() {
		s.abandon(err, reason)
	}
	<-s.done
}

// fail is giveUp for the connection's reader, which must not block.
func (s *Stream) fail(err error) {
	if s.tryFinish() {
		go s.abandon(err, "") // ends within abortTimeout
	}
}

// abandon aborts and ends a stream for which tryFinish has returned true.
func (s *Stream) abandon(err error, reason string) {
	q := s.question
	s.owner.conn.cancelTools(events.Abort{RequestID: q.RequestID})
	s.owner.conn.sendAbort(events.Abort{ChatID: q.ChatID, TraceID: q.TraceID, RequestID: q.RequestID, Reason: reason})
	s.end(events.AIMessage{}, err)
}

// finish ends the stream without an abort, unless another goroutine ends it.
func (s *Stream) finish(m events.AIMessage, err error) {
	if s.tryFinish() {
		s.end(m, err)
	}
}

// end ends a stream for which tryFinish has returned true.
func (s *Stream) end(m events.AIMessage, err error) {
	s.mu.Lock()
	s.advance(phaseEnded)
	s.message, s.err = m, err
	s.wake()
	s.limits.stop()
	unwatch := s.unwatch
	answered := err == nil || s.final != nil
	s.mu.Unlock()

	if unwatch != nil {
		unwatch()
	}
	if err != nil {
		s.owner.conn.cancelTools(events.Abort{RequestID: s.question.RequestID})
	}
	_, failed := err.(*events.AIError)
	s.owner.remove(s, answered || failed)
	s.owner.tally(err)
	s.kill()
	close(s.done)
	s.release()
}

// receive handles an event of this answer, which arrived in that epoch. Only the
// connection's reader calls it.
func (s *Stream) receive(event events.Event, epoch uint64) {
	s.mu.Lock()
	if s.phase >= phaseClosing {
		s.mu.Unlock()
		return
	}
	s.heardOn = max(s.heardOn, epoch)
	s.limits.heard = time.Now()
	switch event := event.(type) {
	case events.AIToken:
		s.begun()
		s.answer.add(event)
	case events.AIMessage:
		s.begun()
		s.final = &event
		s.advance(phaseFinishing)
	case events.AIError:
		s.advance(phaseClosing)
		s.mu.Unlock()
		s.end(events.AIMessage{}, &event)
		return
	default:
		s.answer.note(event)
	}
	s.wake()
	s.check()
}

// begun notes that the backend has begun to answer.
func (s *Stream) begun() {
	if s.limits.begun.IsZero() {
		s.limits.begun = s.limits.heard
	}
	s.advance(phaseAnswering)
}

// check ends the stream if its answer is complete or has failed. It is called
// with mu held, in a phase before closing, and unlocks mu.
func (s *Stream) check() {
	gap := s.answer.gap()
	if gap == nil && s.final == nil && !s.answer.tooLong { // as for nearly every token
		s.limits.noGap()
		s.mu.Unlock()
		return
	}
	s.evaluate(gap)
}

// evaluate is check for an answer with a gap, a final message or too much data.
func (s *Stream) evaluate(gap *GapError) {
	late := gap != nil && (s.isLate(gap) || s.answer.bufferFull())
	if gap == nil {
		s.limits.noGap()
	}
	var end func() // with mu unlocked
	final, cfg := s.final, s.owner.cfg
	switch {
	case s.answer.tooLong:
		end = func() { go s.abandon(ErrTooLong, "") } // the reader must not block; ends within abortTimeout
	case late && final == nil && cfg.OnGap == FailOnGap:
		end = func() { go s.abandon(gap, "") } // likewise
	case final == nil && s.answer.bufferFull():
		s.answer.drop() // the final text will fill the gap
	case final == nil, gap != nil && !late:
	case gap == nil && !s.truncated(*final):
		end = func() { s.end(*final, nil) }
	default:
		if gap == nil {
			gap = &GapError{From: s.answer.next, To: s.answer.next}
		}
		if cfg.OnGap == FillGap && s.answer.fill(*final) {
			end = func() { s.end(*final, nil) }
		} else {
			end = func() { s.end(events.AIMessage{}, gap) }
		}
	}
	if end != nil {
		s.advance(phaseClosing)
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
	return s.heardOn != s.askedOn && s.answer.next > 0 && len(final.Text) > s.answer.text.Len() &&
		final.Text[:s.answer.text.Len()] == s.answer.text.String()
}

// wake wakes the goroutines that wait for a change; mu is held.
func (s *Stream) wake() {
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
}
