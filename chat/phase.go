package chat

// A phase is the state of a Stream. Phases only grow:
//
//	queued ──▶ sent ──▶ asked ──▶ answering ──▶ finishing ──▶ closing ──▶ ended
//
// A phase may be skipped: an answer may arrive before Ask has learned that its
// question was written, and a stream may close at any time. The phase limits
// the errors of a stream that closes:
//
//	queued     the error of Ask: ctx's, conn.ErrClosed, the error of Run
//	sent       the same, if the question may have been sent; ErrAmbiguous; ErrAborted
//	asked      ErrNoToken, ErrQuestionLost, and all of the next line
//	answering  ErrStalled, ErrOffline, *GapError, ErrTooLong, *events.AIError, an
//	           error of Resume, ErrAborted, ErrAmbiguous, ErrStopped, ctx's error
//	finishing  no error if the tokens are complete or were filled in; otherwise
//	           *GapError, ErrOffline, ErrStalled, ErrAborted, ErrStopped, ctx's error
type phase uint8

const (
	phaseQueued    phase = iota // no session has taken the question
	phaseSent                   // a session has taken it; not known to be written
	phaseAsked                  // it was written
	phaseAnswering              // the first token or message has arrived
	phaseFinishing              // the final message has arrived; tokens may be missing
	phaseClosing                // one goroutine is ending the stream; events are ignored
	phaseEnded                  // the result is set
)

// advance moves the stream to a phase, and reports whether it was in an earlier
// phase. mu is held.
func (s *Stream) advance(to phase) bool {
	if s.phase >= to {
		return false
	}
	s.phase = to
	return true
}

// tryFinish moves the stream to closing. It reports whether the caller must end
// the stream.
func (s *Stream) tryFinish() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.advance(phaseClosing)
}
