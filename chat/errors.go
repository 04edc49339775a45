package chat

import (
	"errors"
	"fmt"
)

// What a Stream may end with, besides the errors of the backend (a
// *events.AIError) and of the ctx of Ask.
var (
	// ErrNoToken ends a Stream that has had neither token nor message for
	// StreamConfig.FirstTokenTimeout.
	ErrNoToken = errors.New("chat: no first token")

	// ErrStalled ends a Stream for which nothing has come for
	// StreamConfig.IdleTimeout.
	ErrStalled = errors.New("chat: the answer has stalled")

	// ErrOffline ends the Streams that are open when the connection has been
	// lost for StreamConfig.OfflineTimeout.
	ErrOffline = errors.New("chat: the connection has been lost for too long")

	// ErrAborted ends a Stream whose answer was aborted: by Stream.Abort, by
	// Client.Abort, or by somebody else in the chat, where the backend passes
	// aborts on.
	ErrAborted = errors.New("chat: the answer was aborted")

	// ErrAmbiguous ends Streams that a token, message or error without
	// requestId may belong to, when there is more than one of them.
	ErrAmbiguous = errors.New("chat: the backend does not say which question it answers")

	// ErrStopped ends the Streams that are open when Run returns. The error of
	// Run, if it had one, is wrapped beside it.
	ErrStopped = errors.New("chat: the client has stopped")

	// ErrTooLong ends a Stream whose answer is longer than a client will hold:
	// 65,536 tokens, as many other events, or 16 MiB of all that they carry.
	ErrTooLong = errors.New("chat: the answer is too long")
)

// What Ask, Deliver and Join refuse.
var (
	// ErrNoUser is Ask's answer to a question that has no UserID.
	ErrNoUser = errors.New("chat: the question has no user id")

	// ErrDuplicateRequest is Ask's answer to a RequestID that another question
	// in flight has.
	ErrDuplicateRequest = errors.New("chat: a question with this request id is in flight")

	// ErrQueueFull is Deliver's answer when too many messages wait for their
	// turn.
	ErrQueueFull = errors.New("chat: too many messages wait to be delivered")

	// ErrLeft is, in a JoinError, why a Join has come to nothing whose room
	// was left before it returned.
	ErrLeft = errors.New("chat: the room was left")
)

// A GapError ends a Stream whose tokens From to To-1 did not come in time.
type GapError struct {
	From int
	To   int // the next index that has come; From when the message came without them
}

func (e *GapError) Error() string {
	if e.To <= e.From {
		return fmt.Sprintf("chat: tokens from %d on are missing", e.From)
	}
	return fmt.Sprintf("chat: tokens %d to %d are missing", e.From, e.To-1)
}

// stopped is what a Stream ends with when Run returns err.
func stopped(err error) error {
	if err == nil {
		return ErrStopped
	}
	return fmt.Errorf("%w: %w", ErrStopped, err)
}
