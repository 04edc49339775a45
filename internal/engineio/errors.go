package engineio

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/go-json-experiment/json"
)

var (
	// ErrPingTimeout ends a session whose server has gone silent: no ping
	// within the interval and the grace that it announced itself.
	ErrPingTimeout = errors.New("ping timeout")

	// ErrClosed ends a session that the server has closed.
	ErrClosed = errors.New("closed by the server")
)

// A HandshakeError reports an unexpected HTTP response.
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
		return fmt.Sprintf("answered with HTTP status %d", e.StatusCode)
	}
	return fmt.Sprintf("answered with HTTP status %d: %s", e.StatusCode, e.Message)
}

// maxAnswer is what a server may say before a session is open, and in answer
// to a post or in an error, in bytes.
const maxAnswer = 64 << 10

// statusError returns the error for an unexpected HTTP response.
func statusError(r *http.Response) error {
	body, _ := io.ReadAll(io.LimitReader(r.Body, maxAnswer)) // without a body the status is enough
	answer := struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	}{Code: -1}
	if json.Unmarshal(body, &answer) != nil {
		answer.Code, answer.Message = -1, ""
	}
	line, _, _ := strings.Cut(answer.Message, "\n")
	return &HandshakeError{StatusCode: r.StatusCode, Code: answer.Code, Message: line}
}

// A ProtocolError says that the other end does not speak Engine.IO 4.
type ProtocolError struct{ Err error }

func (e *ProtocolError) Error() string { return "engine.io: " + e.Err.Error() }
func (e *ProtocolError) Unwrap() error { return e.Err }
