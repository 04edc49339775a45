package chat

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/seed67206a74/parley/conn"
)

// Errors that end a Stream. It may also end with a *events.AIError of the
// backend, a *GapError, or the error of Ask's ctx.
var (
	// ErrNoToken ends a Stream when neither a token nor the message has arrived
	// within StreamConfig.FirstTokenTimeout.
	ErrNoToken = errors.New("chat: no first token")

	// ErrStalled ends a Stream when no event of its answer has arrived for
	// StreamConfig.IdleTimeout.
	ErrStalled = errors.New("chat: the answer has stalled")

	// ErrOffline ends the open Streams when the client has not been Ready for
	// StreamConfig.OfflineTimeout.
	ErrOffline = errors.New("chat: the connection has been lost for too long")

	// ErrAborted ends a Stream whose answer was aborted by Stream.Abort, by
	// Client.Abort, or by another member of the chat if the backend forwards
	// aborts.
	ErrAborted = errors.New("chat: the answer was aborted")

	// ErrQuestionLost ends a Stream whose question was probably lost: the
	// session ended before any event of the answer, and none has arrived within
	// StreamConfig.LostTimeout after the reconnect.
	ErrQuestionLost = errors.New("chat: the question was lost with its session")

	// ErrAmbiguous ends a Stream when an event without requestId may belong to
	// another answer. The package documentation lists the cases.
	ErrAmbiguous = errors.New("chat: event without requestId may belong to several questions")

	// ErrStopped ends the open Streams when Run returns or the client is
	// closed. An error of Run is wrapped with it.
	ErrStopped = errors.New("chat: the client has stopped")

	// ErrIndex ends a Stream whose tokens have indices that do not fit
	// StreamConfig.Index. The error that wraps it names the index.
	ErrIndex = errors.New("chat: the tokens' indices do not fit StreamConfig.Index")

	// ErrTooLong ends a Stream whose answer has more than 65,536 tokens, more
	// than 65,536 other events, or more than 16 MiB in total.
	ErrTooLong = errors.New("chat: the answer is too long")
)

// Errors of Ask, Deliver and Join.
var (
	// ErrNoUser is returned by Ask for a question without a UserID.
	ErrNoUser = errors.New("chat: the question has no user id")

	// ErrDuplicateRequest is returned by Ask if another question in flight has
	// the same RequestID.
	ErrDuplicateRequest = errors.New("chat: a question with this request id is in flight")

	// ErrQueueFull is returned by Deliver when too many messages wait for
	// delivery.
	ErrQueueFull = errors.New("chat: too many messages wait to be delivered")

	// ErrLeft is the cause of a JoinError when Leave was called before Join
	// returned.
	ErrLeft = errors.New("chat: the room was left")
)

// A GapError ends a Stream whose tokens From to To-1 did not arrive in time.
type GapError struct {
	From int
	To   int // the next index that arrived; From if only the message did
}

func (e *GapError) Error() string {
	if e.To <= e.From {
		return fmt.Sprintf("chat: tokens from %d on are missing", e.From)
	}
	return fmt.Sprintf("chat: tokens %d to %d are missing", e.From, e.To-1)
}

// A ServerError is the payload of the server's own error event. Both
// ServerError and *ServerError are errors, and errors.As finds either of them
// as both types.
type ServerError struct {
	Message string          // the payload if it is a string, or its field "message"; may be empty
	Raw     json.RawMessage // the whole payload
}

func (e ServerError) Error() string {
	if e.Message == "" {
		return "chat: server error: " + string(e.Raw)
	}
	return "chat: server error: " + e.Message
}

// As sets target, a *ServerError or a **ServerError, for errors.As.
func (e ServerError) As(target any) bool {
	switch target := target.(type) {
	case *ServerError:
		*target = e
	case **ServerError:
		*target = &e
	default:
		return false
	}
	return true
}

// UnmarshalJSON accepts any payload.
func (e *ServerError) UnmarshalJSON(data []byte) error {
	*e = ServerError{Raw: bytes.Clone(data)}
	payload := conn.Event{Args: conn.Args{data}}
	var object struct{ Message json.RawMessage }
	if payload.Decode(0, &object) == nil {
		payload.Args[0] = object.Message
	}
	_ = payload.Decode(0, &e.Message) // any other message is in Raw only
	return nil
}
