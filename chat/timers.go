package chat

import (
	"fmt"
	"time"
)

// timers are the limits of a stream that run. Those that do not are nil.
type timers struct {
	first, silence, offline, gap *time.Timer
}

func (t *timers) stop() {
	for _, timer := range []**time.Timer{&t.first, &t.silence, &t.offline, &t.gap} {
		stopTimer(timer)
	}
}

func stopTimer(t **time.Timer) {
	if *t != nil {
		(*t).Stop()
		*t = nil
	}
}

// after ends the stream with err when d is over, unless d is no limit.
func (s *Stream) after(d time.Duration, err error) *time.Timer {
	return s.afterFunc(d, func() { s.giveUp(err, "") })
}

func (s *Stream) afterFunc(d time.Duration, f func()) *time.Timer {
	if d < 0 {
		return nil
	}
	return time.AfterFunc(d, f)
}

// again starts a timer over, if it runs.
func (s *Stream) again(t *time.Timer, d time.Duration, err error) *time.Timer {
	if t == nil {
		return nil
	}
	if t.Stop() {
		t.Reset(d)
		return t
	}
	return t // it has fired, and gives the stream up at this moment
}

// offline starts the limit to being without a session; silence has none until
// there is one again.
func (s *Stream) offline() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended || s.timers.offline != nil {
		return
	}
	stopTimer(&s.timers.silence)
	s.timers.offline = s.after(s.limits.Offline, ErrOffline)
}

// online is told when there is a session again, before it is Ready.
func (s *Stream) online(recovered bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return
	}
	stopTimer(&s.timers.offline)
	stopTimer(&s.timers.silence)
	s.timers.silence = s.after(s.limits.Silence, ErrStalled)
	s.lost = s.lost || !recovered
	if !recovered && s.limits.Resume != nil {
		go s.resume() // ends with the stream
	}
}

// resume has the program ask for the rest of the answer.
func (s *Stream) resume() {
	err := s.client.Ready(s.alive)
	if err == nil {
		err = s.limits.Resume(s.alive, s)
	}
	if err != nil {
		s.giveUp(fmt.Errorf("chat: resume: %w", err), "")
	}
}
