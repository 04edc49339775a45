package conn

import (
	"errors"

	"github.com/seed67206a74/parley/internal/engineio"
)

// A sizer is an Engine that knows the size limit of the server, as
// engineio.Session.Size does.
type sizer interface {
	Size(messages ...Message) (largest, limit int64)
}

// checkSize returns a TooLargeError if one of the messages of a packet exceeds
// the server's limit.
func (s *Session) checkSize(messages []Message) error {
	size, limit := s.sizeOf(messages)
	if limit > 0 && size > limit {
		return &TooLargeError{size, limit}
	}
	for old := s.largest.Load(); size > old && !s.largest.CompareAndSwap(old, size); {
		old = s.largest.Load()
	}
	return nil
}

func (s *Session) sizeOf(messages []Message) (largest, limit int64) {
	if engine, ok := s.engine.(sizer); ok {
		return engine.Size(messages...)
	}
	for _, m := range messages {
		largest = max(largest, int64(len(m.Data))+1)
	}
	return largest, 0
}

// ending records that err, which ends the session, refuses a message for its
// size. If err does not name the message, it is the largest one of the session:
// all others are below the limit.
func (s *Session) ending(err error) {
	var refused *engineio.TooLargeError
	if !errors.As(err, &refused) {
		return
	}
	size := refused.Size
	if size == 0 {
		size = s.largest.Load()
	}
	s.refusedSize.Store(size)
}

// blame returns the error for a packet whose session ended: a TooLargeError if
// the packet was refused for its size, else err.
func (s *Session) blame(messages []Message, handed bool, err error) (bool, error) {
	refused := s.refusedSize.Load()
	if refused == 0 || !errors.Is(err, ErrSessionLost) {
		return handed, err
	}
	if size, _ := s.sizeOf(messages); size >= refused {
		return false, &TooLargeError{Size: size}
	}
	return handed, err
}
