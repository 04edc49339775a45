package chat

import (
	"context"
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
func (s *Stream) again(t *time.Timer, d time.Duration) *time.Timer {
	if t != nil && t.Stop() {
		t.Reset(d)
	} // else it has fired, and gives the stream up at this moment
	return t
}

// listen starts the limit to silence over. There is none without a session, or
// while the backend waits for a tool. s.mu is held.
func (s *Stream) listen() {
	stopTimer(&s.timers.silence)
	if !s.down && s.working == 0 {
		s.timers.silence = s.after(s.limits.IdleTimeout, ErrStalled)
	}
}

// offline starts the limit to being without a session.
func (s *Stream) offline() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ending || s.down {
		return
	}
	s.down = true
	stopTimer(&s.timers.silence)
	s.timers.offline = s.after(s.limits.OfflineTimeout, ErrOffline)
}

// online is told of a session of that lineage, which ends with ctx, before it
// is Ready.
func (s *Stream) online(ctx context.Context, lineage int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ending {
		return
	}
	s.down = false
	stopTimer(&s.timers.offline)
	s.listen()
	if lineage != s.lineage { // else nothing is missing
		s.lineage, s.lost = lineage, true
		s.resumePending = s.limits.Resume != nil
	}
	if s.resumePending {
		go s.resume(ctx) // ends with the stream, and with the session
	}
}

// resume has the program ask for the rest of the answer. Should the session
// end before it has, the next one sees to it: even one that recovers this one does
// not bring what nobody has asked for.
func (s *Stream) resume(session context.Context) {
	ctx, cancel := context.WithCancel(s.alive)
	defer cancel()
	defer context.AfterFunc(session, cancel)()
	err := s.client.Ready(ctx)
	if err == nil {
		err = s.limits.Resume(ctx, s)
	}
	s.mu.Lock()
	lasted := session.Err() == nil // the next one takes s.mu, and has not begun
	s.resumePending = s.resumePending && !lasted
	s.mu.Unlock()
	if err != nil && lasted {
		s.giveUp(fmt.Errorf("chat: resume: %w", err), "")
	}
}

// work stops the limit to silence while a tool is run for the answer, until
// done is called.
func (s *Stream) work() (done func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.working++
	stopTimer(&s.timers.silence)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.working--; !s.ending {
			s.listen()
		}
	}
}
