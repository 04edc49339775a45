package chat

import (
	"errors"
	"time"

	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/internal/guard"
)

// askAgain sends the question again, after its session was lost.
func (s *Stream) askAgain() {
	s.owner.asking(s)
	guard.Then(func() error { return s.owner.conn.ask(s.alive, s) }, s.askedAgain)
}

// askedAgain continues a stream whose question was sent again, with the error
// of that.
func (s *Stream) askedAgain(err error) {
	// If the question was lost again, LostTimeout will notice it.
	lostAgain := errors.Is(err, conn.ErrSessionLost) && !notSent(err)
	if err != nil && !lostAgain {
		s.giveUp(err, "")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limits.asked, s.limits.again = time.Now(), false
	if d := s.owner.cfg.LostTimeout; d >= 0 {
		s.arm(s.limits.asked.Add(d))
	}
}

// asking records that the question of a stream is sent once more.
func (ss *streams) asking(s *Stream) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	s.asks++
}
