package chat

import (
	"context"
	"fmt"
	"time"
)

// timers are the running timers of a stream. One that does not run is nil.
type timers struct {
	first, idle, offline, gap *time.Timer
}

func (t *timers) stop() {
	for _, timer := range []**time.Timer{&t.first, &t.idle, &t.offline, &t.gap} {
		stopTimer(timer)
	}
}

func stopTimer(t **time.Timer) {
	if *t != nil {
		(*t).Stop()
		*t = nil
	}
}

// after ends the stream with err after d. A negative d means never.
func (s *Stream) after(d time.Duration, err error) *time.Timer {
	return s.afterFunc(d, func() { s.giveUp(err, "") })
}

func (s *Stream) afterFunc(d time.Duration, f func()) *time.Timer {
	if d < 0 {
		return nil
	}
	return time.AfterFunc(d, f)
}

// restart restarts a timer, if it runs.
func restart(t *time.Timer, d time.Duration) *time.Timer {
	if t != nil && t.Stop() {
		t.Reset(d)
	} // else it has fired, and is about to end the stream
	return t
}

// restartIdle restarts the idle timeout. It is paused without a session, and
// while the backend waits for a tool. s.mu is held.
func (s *Stream) restartIdle() {
	stopTimer(&s.timers.idle)
	if !s.down && s.working == 0 {
		s.timers.idle = s.after(s.limits.IdleTimeout, ErrStalled)
	}
}

// offline starts the offline timeout, after a session has ended.
func (s *Stream) offline() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ending || s.down {
		return
	}
	s.down = true
	stopTimer(&s.timers.idle)
	s.timers.offline = s.after(s.limits.OfflineTimeout, ErrOffline)
}

// online continues the stream on a session of the given epoch, which ends with
// ctx. It is called before the client is Ready.
func (s *Stream) online(ctx context.Context, epoch int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ending {
		return
	}
	s.down = false
	stopTimer(&s.timers.offline)
	s.restartIdle()
	if epoch != s.epoch { // else nothing is missing
		s.epoch, s.lost = epoch, true
		s.resumePending = s.limits.Resume != nil
	}
	if s.resumePending {
		go s.resume(ctx) // ends with the stream, and with the session
	}
}

// resume calls StreamConfig.Resume. If the session ends before Resume has
// returned, online calls resume again for the next session. That holds for a
// session that recovers this one too, since the backend was not asked.
func (s *Stream) resume(session context.Context) {
	ctx, cancel := context.WithCancel(s.alive)
	defer cancel()
	defer context.AfterFunc(session, cancel)()
	err := s.client.Ready(ctx)
	if err == nil {
		err = s.limits.Resume(ctx, s)
	}
	s.mu.Lock()
	lasted := session.Err() == nil // online takes s.mu, so the next session has not begun
	s.resumePending = s.resumePending && !lasted
	s.mu.Unlock()
	if err != nil && lasted {
		s.giveUp(fmt.Errorf("chat: resume: %w", err), "")
	}
}

// work pauses the idle timeout while a tool runs for the answer, until done is
// called.
func (s *Stream) work() (done func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.working++
	stopTimer(&s.timers.idle)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.working--; !s.ending {
			s.restartIdle()
		}
	}
}
