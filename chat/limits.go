package chat

import (
	"time"

	"github.com/seed67206a74/parley/conn"
)

// limits are the timeouts of a stream. One timer serves all of them: an event
// only records its time. When the timer fires, it compares the times with the
// connection's state and is set again.
//
// The timer never fires late. After any change, a timeout is due one full
// duration later at the earliest, and the timer is never set further ahead than
// that.
type limits struct {
	timer *time.Timer // nil before the question is written
	at    time.Time   // when timer fires

	asked time.Time // when the question was written
	heard time.Time // when the last event arrived
	begun time.Time // when the first token or message arrived
	again bool      // the question is being asked again
	tools int       // number of tools that run for the answer
	idle  time.Time // when the last of them returned

	gapFrom  int       // the index of the first missing token
	gapSince time.Time // when it was found missing; zero for no gap
	gapLate  bool      // GapTimeout has passed since
}

func (l *limits) stop() {
	if l.timer != nil {
		l.timer.Stop()
	}
}

// noGap records that no token is missing.
func (l *limits) noGap() { l.gapSince, l.gapLate = time.Time{}, false }

// isLate reports whether GapTimeout has passed for the gap. For a new gap it
// starts the wait. mu is held.
func (s *Stream) isLate(gap *GapError) bool {
	l := &s.limits
	if l.gapSince.IsZero() || l.gapFrom != gap.From {
		l.gapFrom, l.gapSince, l.gapLate = gap.From, time.Now(), false
		if s.owner.cfg.GapTimeout >= 0 {
			s.arm(l.gapSince.Add(s.owner.cfg.GapTimeout))
		}
	}
	return l.gapLate
}

// arm makes the timer fire at the given time, unless it will fire sooner.
// Before begin it does nothing. mu is held.
func (s *Stream) arm(at time.Time) {
	l := &s.limits
	switch {
	case l.asked.IsZero(), s.phase >= phaseClosing:
	case l.timer == nil:
		l.at = at
		l.timer = time.AfterFunc(time.Until(at), s.expire)
	case l.at.IsZero() || at.Before(l.at):
		l.at = at
		l.timer.Reset(time.Until(at))
	}
}

// expire ends the stream if a limit has been reached. Otherwise it sets the
// timer for the next limit.
func (s *Stream) expire() {
	state := s.owner.conn.State()
	s.mu.Lock()
	if s.phase >= phaseClosing {
		s.mu.Unlock()
		return
	}
	s.limits.at = time.Time{}
	next, gapLate, err := s.due(time.Now(), state)
	if err == ErrQuestionLost && s.owner.cfg.OnLost == AskAgain {
		s.limits.again = true
		go s.askAgain() // ends with the stream
		next, gapLate, err = s.due(time.Now(), state)
	}
	if err != nil {
		s.advance(phaseClosing)
		s.mu.Unlock()
		s.abandon(err, "")
		return
	}
	if !next.IsZero() {
		s.arm(next)
	}
	if gapLate {
		s.limits.gapLate = true
		s.check()
		return
	}
	s.mu.Unlock()
}

// due returns the time of the next check, or zero for no check, whether
// GapTimeout has passed, and the error of a limit that has been reached. mu is
// held.
func (s *Stream) due(now time.Time, state conn.State) (next time.Time, gapLate bool, err error) {
	l, cfg := &s.limits, s.owner.cfg
	look := func(at time.Time) {
		if next.IsZero() || at.Before(next) {
			next = at
		}
	}
	// reached reports whether d has passed since from.
	reached := func(from time.Time, d time.Duration) bool {
		if d < 0 {
			return false
		}
		at := from.Add(d)
		if at.After(now) {
			look(at)
			return false
		}
		return true
	}
	// After a later change of the connection, d is due at now + d or later.
	watch := func(d time.Duration) {
		if d >= 0 {
			look(now.Add(d))
		}
	}
	ready := state.Phase == conn.Ready
	switch {
	case l.begun.IsZero() && reached(l.asked, cfg.FirstTokenTimeout):
		return next, false, ErrNoToken
	case ready && s.unheard() && state.Epoch != s.askedOn && !l.again && reached(latest(l.asked, state.Since), cfg.LostTimeout):
		return next, false, ErrQuestionLost
	case ready && l.tools == 0 && reached(latest(l.asked, l.heard, l.idle, state.Since), cfg.IdleTimeout):
		return next, false, ErrStalled
	case !ready && reached(latest(l.asked, state.Since), cfg.OfflineTimeout):
		return next, false, ErrOffline
	}
	if s.unheard() {
		watch(cfg.LostTimeout)
	}
	if ready {
		watch(cfg.OfflineTimeout)
	} else {
		watch(cfg.IdleTimeout)
	}
	if !l.gapSince.IsZero() && !l.gapLate {
		gapLate = reached(l.gapSince, cfg.GapTimeout)
	}
	return next, gapLate, nil
}

// unheard reports whether no event of the answer has arrived. mu is held.
func (s *Stream) unheard() bool { return s.limits.heard.IsZero() }

// latest returns the latest of the times.
func latest(times ...time.Time) time.Time {
	var last time.Time
	for _, t := range times {
		if t.After(last) {
			last = t
		}
	}
	return last
}

// work pauses the idle timeout while a tool runs for the answer, until done is
// called.
func (s *Stream) work() (done func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limits.tools++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.limits.tools--
		s.limits.idle = time.Now()
		if d := s.owner.cfg.IdleTimeout; d >= 0 {
			s.arm(s.limits.idle.Add(d))
		}
	}
}
