package engineio

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"unicode"
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
	Message    string // the beginning of the server's message; may be empty
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

// statusError returns the error for an unexpected HTTP response. Its message is
// that of a JSON object, a JSON string, or a body of plain text.
func statusError(r *http.Response) *HandshakeError {
	body, _ := io.ReadAll(io.LimitReader(r.Body, maxResponse)) // without a body, the status remains
	e := &HandshakeError{StatusCode: r.StatusCode, Code: -1}
	content := struct{ Code, Message json.RawMessage }{}
	switch {
	case json.Unmarshal(body, &content) == nil && (content.Code != nil || content.Message != nil):
		if json.Unmarshal(content.Code, &e.Code) != nil {
			e.Code = -1
		}
		if json.Unmarshal(content.Message, &e.Message) != nil {
			e.Message = string(content.Message)
		}
	case json.Unmarshal(body, &e.Message) == nil:
	case isPage(body):
	default:
		e.Message = string(body)
	}
	e.Message = firstLine(e.Message)
	return e
}

// isPage reports whether a body is HTML, which describes an HTTP status only.
func isPage(body []byte) bool { return bytes.HasPrefix(bytes.TrimSpace(body), []byte{'<'}) }

// firstLine returns the first line of a text, at most 200 bytes.
func firstLine(text string) string {
	const limit = 200
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	line = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, line)
	if len(line) > limit {
		line = strings.ToValidUTF8(line[:limit], "") + "…"
	}
	return line
}

// refusals has the texts with which npm's engine.io refuses a websocket, by
// code. Over polling the response has the code itself.
var refusals = map[string]int{
	"Transport unknown":            0,
	"Session ID unknown":           1,
	"Bad handshake method":         2,
	"Bad request":                  3,
	"Forbidden":                    CodeForbidden,
	"Unsupported protocol version": CodeUnsupported,
}

// webSocketStatusError is statusError for a websocket handshake. It gives the
// error the code that the server would send over polling. npm's engine.io
// responds with status 400 and a text; a text of its user means that the
// handshake is forbidden. Its websocket library responds in the same way to an
// invalid header, whose name is in the text.
func webSocketStatusError(r *http.Response) error {
	e := statusError(r)
	html := strings.HasPrefix(r.Header.Get("Content-Type"), "text/html")
	if e.StatusCode != http.StatusBadRequest || e.Code != -1 || e.Message == "" || !html {
		return e
	}
	code, known := refusals[e.Message]
	switch {
	case known:
		e.Code = code
	case !strings.Contains(e.Message, " header"):
		e.Code = CodeForbidden
	}
	return e
}

// A TooLargeError reports that the server, or a proxy before it, refused a
// message for its size: by HTTP status 413, or by websocket close code 1009.
type TooLargeError struct {
	Size int64 // in bytes as it was sent; 0 if the error names no message
	Err  error
}

func (e *TooLargeError) Error() string { return e.Err.Error() }
func (e *TooLargeError) Unwrap() error { return e.Err }

// A ProtocolError reports data that violates Engine.IO revision 4.
type ProtocolError struct{ Err error }

func (e *ProtocolError) Error() string { return "engine.io: " + e.Err.Error() }
func (e *ProtocolError) Unwrap() error { return e.Err }
