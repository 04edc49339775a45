package chat

// A phase is where a Stream stands. Phases only grow:
//
//	queued ──▶ sent ──▶ asked ──▶ answering ──▶ finishing ──▶ closing ──▶ ended
//
// A phase may be skipped: an answer may arrive before Ask knows that its question
// was written, and a stream may close at any time. A stream closes with
//
//	in       an error that it may close with
//	queued   the error of Ask: ctx's, conn.ErrClosed, what ended Run
//	sent     the same, if the question may have been sent; ErrAmbiguous; ErrAborted
//	asked    ErrNoToken, and all of the next line
//	answering ErrStalled, ErrOffline, *GapError, ErrTooLong, *events.AIError, an
//	         error of Resume, ErrAborted, ErrAmbiguous, ErrStopped, ctx's error
//	finishing no error when the tokens are complete or filled in; else *GapError,
//	         ErrOffline, ErrStalled, ErrAborted, ErrStopped, ctx's error
type phase uint8

const (
	phaseQueued    phase = iota // no session has taken the question
	phaseSent                   // a session has taken it; Ask does not know whether it was written
	phaseAsked                  // it was written
	phaseAnswering              // the first token or message has arrived
	phaseFinishing              // the final message has arrived, tokens may be missing
	phaseClosing                // one goroutine ends the stream; events are ignored
	phaseEnded                  // the result is there
)

// advance moves the stream to a phase, and reports whether it was in an earlier
// one. mu is held.
func (s *Stream) advance(to phase) bool {
	if s.phase >= to {
		return false
	}
	s.phase = to
	return true
}

// tryFinish moves the stream to closing, and reports whether the caller has to
// end it.
func (s *Stream) tryFinish() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.advance(phaseClosing)
}
