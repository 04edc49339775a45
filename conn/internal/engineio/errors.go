package engineio

import (
	"errors"
	"fmt"
)

var (
	// ErrPingTimeout ends a session whose server has gone silent: no ping
	// within the interval and the grace that it announced itself.
	ErrPingTimeout = errors.New("ping timeout")

	// ErrClosed ends a session that the server has closed.
	ErrClosed = errors.New("closed by the server")
)

// A HandshakeError says that the server answered the opening request, but not
// with a session.
type HandshakeError struct {
	StatusCode int    // of the HTTP response
	Code       int    // the Engine.IO error code, -1 when the answer holds none
	Message    string // the server's message, cut to a line; may be empty
}

// The Engine.IO error codes that matter to a client.
const (
	CodeForbidden   = 4 // refused by the server's own check of the request
	CodeUnsupported = 5 // the server speaks another revision of the protocol
)

func (e *HandshakeError) Error() string {
	if e.Message == "" {
		return fmt.Sprintf("handshake answered with HTTP status %d", e.StatusCode)
	}
	return fmt.Sprintf("handshake answered with HTTP status %d: %s", e.StatusCode, e.Message)
}

// A ProtocolError says that the other end does not speak Engine.IO 4.
type ProtocolError struct{ Err error }

func (e *ProtocolError) Error() string { return "engine.io: " + e.Err.Error() }
func (e *ProtocolError) Unwrap() error { return e.Err }
