package chat

import (
	"context"
	"errors"
	"fmt"

	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/conn"
)

// lacks reports whether the question was sent in another epoch, and Resume has
// not yet been called for the given epoch.
func (s *Stream) lacks(epoch uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.askedOn != 0 && s.phase < phaseClosing && s.resumed != epoch
}

// resume calls StreamConfig.Resume for a session of a new epoch, whose ctx is
// session. resume is called before the session is Ready. If the session ends
// before Resume has returned, the next session calls it again, even if the
// server resumes that session: the missing tokens have not been requested yet.
func (s *Stream) resume(session context.Context, epoch uint64) {
	ctx, cancel := context.WithCancel(s.alive)
	defer cancel()
	defer context.AfterFunc(session, cancel)()
	if s.owner.conn.Ready(ctx) != nil || !s.awaitAsked(ctx, epoch) {
		return
	}
	returned := false
	defer func() {
		if !returned { // Resume panicked
			s.giveUp(fmt.Errorf("chat: resume: %w", bus.NewPanicError(recover())), "")
		}
	}()
	err := s.owner.cfg.Resume(ctx, s)
	returned = true

	// A write can fail before session ends. Under mu, which the next session
	// takes before it begins.
	s.mu.Lock()
	lasted := session.Err() == nil && !errors.Is(err, conn.ErrSessionLost)
	if lasted {
		s.resumed = epoch
	}
	s.mu.Unlock()
	if err != nil && lasted {
		s.giveUp(fmt.Errorf("chat: resume: %w", err), "")
	}
}

// awaitAsked waits until it is known whether the question was written. It
// reports whether the stream may lack tokens from before that epoch, which it
// does not if the question was sent in that epoch.
func (s *Stream) awaitAsked(ctx context.Context, epoch uint64) bool {
	changed, stop := s.watch()
	defer stop()
	for {
		s.mu.Lock()
		phase, resumed := s.phase, s.resumed
		s.mu.Unlock()
		switch {
		case phase >= phaseClosing || resumed == epoch:
			return false
		case phase >= phaseAsked:
			return true
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
}
