package chat

import (
	"errors"
	"fmt"
)

var (
	// ErrStalled ends a Stream for which nothing has come for
	// Config.StallTimeout.
	ErrStalled = errors.New("chat: the answer has stalled")

	// ErrStopped ends the Streams that are open when Run returns. The error of
	// Run, if it had one, is wrapped beside it.
	ErrStopped = errors.New("chat: the client has stopped")

	// ErrTooLong ends a Stream whose answer is longer than a client will hold:
	// 65,536 tokens or 16 MiB of text.
	ErrTooLong = errors.New("chat: the answer is too long")

	// ErrNoUser is Ask's answer to a question that has no UserID.
	ErrNoUser = errors.New("chat: the question has no user id")

	// ErrDuplicateRequest is Ask's answer to a RequestID that another question
	// in flight has.
	ErrDuplicateRequest = errors.New("chat: a question with this request id is in flight")
)

// stopped is what a Stream ends with when Run returns err.
func stopped(err error) error {
	if err == nil {
		return ErrStopped
	}
	return fmt.Errorf("%w: %w", ErrStopped, err)
}
