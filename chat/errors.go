package chat

import (
	"encoding/json"
	"errors"
	"fmt"

	jsonv2 "github.com/go-json-experiment/json"
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

// A ServerError is the payload of the server's own error event.
type ServerError struct {
	Message string          // a payload that is a string, or its field "message"; may be empty
	Raw     json.RawMessage // the payload as it came
}

func (e ServerError) Error() string {
	if e.Message == "" {
		return "chat: server error: " + string(e.Raw)
	}
	return "chat: server error: " + e.Message
}

// UnmarshalJSON takes any payload.
func (e *ServerError) UnmarshalJSON(data []byte) error {
	*e = ServerError{Raw: append(json.RawMessage(nil), data...)}
	var object struct {
		Message string `json:"message"`
	}
	if jsonv2.Unmarshal(data, &object) == nil {
		e.Message = object.Message
	} else {
		_ = jsonv2.Unmarshal(data, &e.Message) // any other payload is in Raw only
	}
	return nil
}
