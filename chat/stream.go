package chat

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seed67206a74/parley/events"
)

// A Stream is the answer to one question while it arrives. It keeps the answer,
// so a late or slow reader delays nothing, and no reader is needed. Its methods
// are safe for concurrent use.
//
// The answer is the text of the final message. The tokens are its parts, in the
// order of their indices, each once. The stream waits for a missing token, then
// fills the gap or ends with a [*GapError], depending on Config.Stream.
//
// [Stream.Wait] returns its error. [Stream.Abort], or the end of Ask's ctx,
// cancels it.
//
// A Stream ends with the first of these:
//   - the final message
//   - an error of the backend, a [*events.AIError]
//   - the end of Ask's ctx
//   - [ErrAborted], [ErrNoToken], [ErrStalled], [ErrOffline], a [*GapError],
//     [ErrQuestionLost], [ErrAmbiguous], [ErrIndex] or [ErrTooLong]
//   - a [*conn.DecodeError] if an event of the answer cannot be read
//   - an error of StreamConfig.Resume
//   - [ErrStopped] after Close, or when Run returns
//
// Later events are ignored.
type Stream struct {
	owner    *streams
	question Question
	ctx      context.Context // Ask's, for the work that release ends
	release  func()          // ends the work that Shutdown waits for
	done     chan struct{}   // closed when the answer has ended
	alive    context.Context // ends with ctx or with the answer
	kill     context.CancelFunc
	own      own
	made     time.Time // when the stream was made
	token    time.Time // when the last token arrived; used by the reader only

	// Guarded by owner.mu.
	named bool   // the backend has used the request id
	asks  int    // how often the question was or may have been sent
	alone bool   // no other answer was expected in the chat when the question was sent
	grown uint64 // owner.grownIn at that time

	mu       sync.Mutex // taken after owner.mu; no other lock is taken while it is held
	watchers []chan struct{}
	phase    phase
	answer   assembly
	final    *events.AIMessage // set when it has arrived; tokens may be missing
	message  events.AIMessage
	err      error
	unwatch  func() bool // stops watching ctx

	// Epochs of the connection. If events arrive in another epoch than that of
	// the question, tokens may be missing.
	askedOn uint64 // of the session that the question was sent on; 0 if not sent
	heardOn uint64 // of the last event
	resumed uint64 // the last epoch that needs no call of StreamConfig.Resume
	runs    int64  // owner.runs when the question was sent

	limits limits
}

func newStream(ctx context.Context, owner *streams, q Question) *Stream {
	s := &Stream{
		owner: owner, question: q, own: ownMessage(q.ChatID, q.MessageID, q.UserID), asks: 1,
		ctx: ctx, release: func() {}, done: make(chan struct{}), made: time.Now(),
	}
	s.alive, s.kill = context.WithCancel(ctx)
	s.answer.limit, s.answer.scheme = owner.cfg.ReorderLimit, owner.cfg.Index
	return s
}

// RequestID returns the request id of the question.
func (s *Stream) RequestID() string { return s.question.RequestID }

// Question returns the question with all its ids, also the ids that Ask has
// chosen. StreamConfig.Resume can use it to ask again.
func (s *Stream) Question() Question { return s.question }

// Wait waits until the stream has ended. It returns the final message or the
// stream's error. It may be called any number of times, from any goroutine.
func (s *Stream) Wait() (events.AIMessage, error) {
	<-s.done
	return s.message, s.err
}

// Abort ends the stream with [ErrAborted]. If there is a session, it first asks
// the backend to stop the answer, for a reason that may be empty. It returns
// when that is written, within a second. After the stream has ended it does
// nothing.
func (s *Stream) Abort(reason string) { s.giveUp(ErrAborted, reason) }

// sending records that the question is about to be written on a session of the
// given epoch.
func (s *Stream) sending(epoch uint64) {
	s.owner.sent(s)
	runs := s.owner.runs.Load()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.advance(phaseSent)
	s.askedOn, s.heardOn, s.resumed, s.runs = epoch, epoch, epoch, runs
}

// withdraw records that the question was not sent.
func (s *Stream) withdraw() {
	s.owner.withdraw(s)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.askedOn = 0
}

// begin starts the timeouts of a stream whose question has been written.
func (s *Stream) begin() {
	state := s.owner.conn.State()
	s.mu.Lock()
	s.limits.asked = time.Now()
	s.advance(phaseAsked)
	if s.phase < phaseClosing {
		s.unwatch = context.AfterFunc(s.ctx, func() { s.giveUp(s.ctx.Err(), "") })
		if next, _, _ := s.due(s.limits.asked, state); !next.IsZero() {
			s.arm(next)
		}
	}
	s.wake() // awaitAsked waits for this phase
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

// isOut reports whether the question was or may have been sent.
func (s *Stream) isOut() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.askedOn != 0
}

// giveUp aborts the answer and ends the stream with err, unless another
// goroutine is ending it. It returns when the stream has ended.
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
	s.owner.abandoning(s)
	s.owner.conn.cancelTools(events.Abort{RequestID: q.RequestID})
	s.owner.conn.sendAbort(events.Abort{ChatID: q.ChatID, TraceID: q.TraceID, RequestID: q.RequestID, Reason: reason})
	s.end(events.AIMessage{}, err)
}

// finish ends the stream without an abort, unless another goroutine is ending
// it.
func (s *Stream) finish(m events.AIMessage, err error) {
	if s.tryFinish() {
		s.end(m, err)
	}
}

// end ends a stream for which tryFinish has returned true. Readers learn of the
// end after all its other effects.
func (s *Stream) end(m events.AIMessage, err error) {
	s.mu.Lock()
	s.message, s.err = m, err
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
	if o := s.owner.observers; o != nil {
		o.onAnswerEnd(s, m, err)
	}

	s.mu.Lock()
	s.advance(phaseEnded)
	close(s.done)
	s.wake()
	s.mu.Unlock()
	s.release()
}

// receive handles an event of this answer that arrived in the given epoch. Only
// the connection's reader calls it.
func (s *Stream) receive(event events.Event, epoch uint64) {
	s.mu.Lock()
	if s.phase >= phaseClosing {
		s.mu.Unlock()
		return
	}
	s.arrived(epoch)
	if s.conflicts(event) {
		s.mu.Unlock()
		s.fail(ErrAmbiguous)
		return
	}
	switch event := event.(type) {
	case events.AIToken:
		s.begun()
		s.answer.add(&event)
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
	if t, ok := event.(events.AIToken); ok && s.owner.observers.wantTokens() && !s.observeToken(t) {
		return
	}
	s.check()
}

// receiveToken is receive for a token with a request id.
func (s *Stream) receiveToken(t *events.AIToken, epoch uint64) {
	s.mu.Lock()
	if s.phase >= phaseClosing {
		s.mu.Unlock()
		return
	}
	s.arrived(epoch)
	s.begun()
	s.answer.add(t)
	s.wake()
	if s.owner.observers.wantTokens() && !s.observeToken(*t) {
		return
	}
	s.check()
}

// arrived records that an event has arrived in the given epoch. mu is held.
func (s *Stream) arrived(epoch uint64) {
	s.heardOn = max(s.heardOn, epoch)
	s.limits.heard = s.made.Add(time.Since(s.made)) // time.Now at half the cost
}

// begun records that the backend has begun to answer.
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
	// true for nearly every token
	if gap == nil && s.final == nil && !s.answer.tooLong && s.answer.misfit == nil {
		s.limits.noGap()
		s.mu.Unlock()
		return
	}
	s.evaluate(gap)
}

// evaluate implements check for an answer with a gap, a final message or too
// much data.
func (s *Stream) evaluate(gap *GapError) {
	late := gap != nil && (s.isLate(gap) || s.answer.bufferFull())
	if gap == nil {
		s.limits.noGap()
	}
	var end func() // called with mu unlocked
	final, cfg := s.final, s.owner.cfg
	switch {
	case s.answer.tooLong:
		// In a goroutine, because the reader must not block; it ends within
		// abortTimeout.
		end = func() { go s.abandon(ErrTooLong, "") }
	case s.answer.misfit != nil:
		end = func() { go s.abandon(s.answer.misfit, "") } // as above
	case final != nil && s.heardOn == s.askedOn && s.answer.countsFromOne(final.Text):
		// No token was lost with a session: there is no token 0.
		err := fmt.Errorf("%w: the first token has the index 1", ErrIndex)
		end = func() { s.end(events.AIMessage{}, err) }
	case late && final == nil && cfg.OnGap == FailOnGap:
		end = func() { go s.abandon(gap, "") } // as above
	case final == nil && s.answer.bufferFull():
		s.answer.drop() // the final text will fill the gap
	case final == nil, gap != nil && !late:
	case gap == nil && !s.truncated(*final):
		end = func() { s.end(*final, nil) }
	default:
		// Without any token, nothing shows that the backend sends tokens.
		fill := cfg.OnGap == FillGap || gap == nil && s.answer.next() == 0
		if gap == nil {
			gap = &GapError{From: s.answer.next(), To: s.answer.next()}
		}
		if fill && s.answer.fill(*final) {
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

// truncated reports whether the final text shows that the last tokens, or all
// tokens, were lost with a session. If no session was lost, the backend chose a
// final text that differs from the tokens.
func (s *Stream) truncated(final events.AIMessage) bool {
	return s.lost() && len(final.Text) > s.answer.text.Len() && strings.HasPrefix(final.Text, s.answer.text.String())
}

// lost reports whether a session was lost since the question was sent, and not
// resumed. mu is held.
func (s *Stream) lost() bool { return s.heardOn != s.askedOn }

// hasFinal reports whether the final message has arrived.
func (s *Stream) hasFinal() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.final != nil
}

// hasTokens reports whether a token has arrived.
func (s *Stream) hasTokens() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.answer.next() > 0
}

// watch returns a channel that receives after each change, until stop is
// called. It has room for one value, which stands for any number of changes.
func (s *Stream) watch() (changed <-chan struct{}, stop func()) {
	watcher := make(chan struct{}, 1)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watchers = append(s.watchers, watcher)
	return watcher, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		i := slices.Index(s.watchers, watcher)
		s.watchers = slices.Delete(s.watchers, i, i+1)
	}
}

// wake wakes the goroutines that watch; mu is held.
func (s *Stream) wake() {
	for _, watcher := range s.watchers {
		select {
		case watcher <- struct{}{}:
		default:
		}
	}
}
