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
	// ErrPingTimeout ends a session if no ping arrives within the interval and
	// the timeout that the server announced.
	ErrPingTimeout = errors.New("ping timeout")

	// ErrClosed ends a session after a close packet or close frame of the
	// server.
	ErrClosed = errors.New("closed by the server")
)

// A HandshakeError reports an unexpected HTTP response.
type HandshakeError struct {
	StatusCode int    // of the HTTP response
	Code       int    // the Engine.IO error code; -1 if the response has none
	Message    string // the first line of the server's message; may be empty
}

// The Engine.IO error codes after which [Dial] tries no other transport.
const (
	CodeForbidden   = 4 // the server's own check rejected the request
	CodeUnsupported = 5 // the server uses another revision of the protocol
)

func (e *HandshakeError) Error() string {
	if e.Message == "" {
		return fmt.Sprintf("unexpected HTTP status %d", e.StatusCode)
	}
	return fmt.Sprintf("unexpected HTTP status %d: %s", e.StatusCode, e.Message)
}

// maxResponse limits, in bytes, the response to a websocket handshake, HTTP
// headers, and the body of an error or of the response to a POST.
const maxResponse = 64 << 10

// statusError returns the error for an unexpected HTTP response.
func statusError(r *http.Response) error {
	body, _ := io.ReadAll(io.LimitReader(r.Body, maxResponse)) // without a body, the status remains
	content := struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	}{Code: -1}
	if json.Unmarshal(body, &content) != nil {
		content.Code, content.Message = -1, ""
	}
	line, _, _ := strings.Cut(content.Message, "\n")
	return &HandshakeError{StatusCode: r.StatusCode, Code: content.Code, Message: line}
}

// A ProtocolError reports data that violates Engine.IO revision 4.
type ProtocolError struct{ Err error }

func (e *ProtocolError) Error() string { return "engine.io: " + e.Err.Error() }
func (e *ProtocolError) Unwrap() error { return e.Err }
