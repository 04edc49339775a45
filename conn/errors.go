package conn

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/seed67206a74/parley/internal/engineio"
)

var (
	// ErrClosed is returned by all methods after Close.
	ErrClosed = errors.New("conn: closed")

	// ErrRunning is returned by Run while another Run is active.
	ErrRunning = errors.New("conn: already running")

	// ErrPingTimeout ends a session whose server has gone silent: no ping
	// within the interval and the grace that it announced itself.
	ErrPingTimeout = errors.New("conn: ping timeout")

	// ErrDisconnected ends Run: the server disconnected this socket ("io server
	// disconnect").
	ErrDisconnected = errors.New("conn: disconnected by the server")

	// ErrProtocolVersion ends Run: the server speaks another revision of
	// Engine.IO or Socket.IO. The error around it says how that showed.
	ErrProtocolVersion = errors.New("conn: the server speaks another version of the protocol")

	// ErrSessionLost is returned by an Emit or a Call whose session ended before
	// the outcome was known.
	ErrSessionLost = errors.New("conn: session lost")

	// ErrNotReady is returned by TryEmit when it drops an event, and by Health.
	ErrNotReady = errors.New("conn: not ready")

	// ErrTooDeep is, in a DecodeError, an event that nests deeper than
	// Config.MaxNesting.
	ErrTooDeep = errors.New("conn: nested too deep")
)

// A RefusedError ends Run: the server refused the handshake, with a
// CONNECT_ERROR packet or with HTTP status 401 or 403.
type RefusedError struct {
	Message string          // as the server put it
	Data    json.RawMessage // what it added; nil when it added nothing
	Status  int             // the HTTP status; 0 when a packet refused
}

func (e *RefusedError) Error() string {
	text := "conn: refused by the server"
	if e.Status != 0 {
		text += " with HTTP status " + strconv.Itoa(e.Status)
	}
	if e.Message != "" {
		text += ": " + e.Message
	}
	return text
}

// A ProtocolError ends a session, and leads to another try: the server has
// sent what the protocol does not allow.
type ProtocolError struct{ Err error }

func (e *ProtocolError) Error() string { return "conn: protocol error: " + e.Err.Error() }

// Unwrap returns what was wrong with what the server sent.
func (e *ProtocolError) Unwrap() error { return e.Err }

// An AuthError is a failure of Config.Auth. It is retried unless it is wrapped
// in reconnect.Permanent.
type AuthError struct{ Err error }

func (e *AuthError) Error() string { return "conn: Config.Auth: " + e.Err.Error() }

// Unwrap returns the error of Config.Auth.
func (e *AuthError) Unwrap() error { return e.Err }

// An OnConnectError reports that Config.OnConnect failed. Run tries again,
// unless the error is wrapped in reconnect.Permanent.
type OnConnectError struct{ Err error }

func (e *OnConnectError) Error() string { return "conn: Config.OnConnect: " + e.Err.Error() }

// Unwrap returns the error of Config.OnConnect.
func (e *OnConnectError) Unwrap() error { return e.Err }

// A DialError reports a failed connection attempt. It is retried unless the
// server's certificate is invalid.
type DialError struct{ Err error }

func (e *DialError) Error() string { return "conn: cannot connect: " + e.Err.Error() }

// Unwrap returns the cause, of the network for example.
func (e *DialError) Unwrap() error { return e.Err }

// A TransportError ends a session, and leads to another try: the connection
// beneath it broke, or the server closed it.
type TransportError struct{ Err error }

func (e *TransportError) Error() string { return "conn: connection lost: " + e.Err.Error() }

// Unwrap returns the cause, of the network for example.
func (e *TransportError) Unwrap() error { return e.Err }

// A SendError says that an Emit or a Call failed, and whether the event may
// have reached the server all the same.
type SendError struct {
	Event     string
	MaybeSent bool  // false: the server has certainly not seen it
	Err       error // the ctx's error, ErrSessionLost, ErrClosed, or what ended Run
}

func (e *SendError) Error() string {
	outcome := "not sent"
	if e.MaybeSent {
		outcome = "may have been sent"
	}
	return fmt.Sprintf("conn: event %q %s: %v", e.Event, outcome, e.Err)
}

// Unwrap returns the cause.
func (e *SendError) Unwrap() error { return e.Err }

// A DecodeError reports an event whose payload did not fit the type of a
// subscription or handler. It is published on Conn.DecodeErrors and does not
// end the session.
type DecodeError struct {
	Event string          // the event's name
	Raw   json.RawMessage // its arguments, as a JSON array
	Err   error
}

func (e DecodeError) Error() string { return fmt.Sprintf("conn: event %q: %v", e.Event, e.Err) }

// Unwrap returns what did not fit.
func (e DecodeError) Unwrap() error { return e.Err }

// A ReplyError is an error of a handler that says what the server gets as the
// acknowledgement. Without one it gets {"error": "…"} with the error's text.
type ReplyError struct {
	Reply any
	Err   error // may be nil
}

func (e *ReplyError) Error() string {
	if e.Err == nil {
		return "conn: handler rejected the event"
	}
	return e.Err.Error()
}

// Unwrap returns the cause.
func (e *ReplyError) Unwrap() error { return e.Err }

// isPermanent reports whether err ends Run, unless Config.Retry has it
// otherwise.
func isPermanent(err error) bool {
	var refused *RefusedError
	var certificate *tls.CertificateVerificationError
	return errors.As(err, &refused) || errors.As(err, &certificate) ||
		errors.Is(err, ErrDisconnected) || errors.Is(err, ErrProtocolVersion)
}

// dialError gives an error of the dial the type that users know it by.
func dialError(err error) error {
	var answer *engineio.HandshakeError
	if errors.As(err, &answer) {
		switch {
		case answer.Code == engineio.CodeUnsupported:
			return versionError("Engine.IO 3 (" + answer.Message + ")")
		case answer.Code == engineio.CodeForbidden, answer.StatusCode == 401, answer.StatusCode == 403:
			return &RefusedError{Message: answer.Message, Status: answer.StatusCode}
		}
	}
	if known := asProtocolError(err); known != nil {
		return known
	}
	var dial *DialError
	var refused *RefusedError
	if errors.As(err, &dial) || errors.As(err, &refused) || errors.Is(err, ErrProtocolVersion) {
		return err
	}
	return &DialError{err}
}

// versionError names the version that a server speaks.
func versionError(version string) error { return fmt.Errorf("%w: %s", ErrProtocolVersion, version) }

// readError does the same for what ended the reading of a session.
func readError(err error) error {
	if known := asProtocolError(err); known != nil {
		return known
	}
	if errors.Is(err, engineio.ErrPingTimeout) || errors.Is(err, ErrPingTimeout) {
		return ErrPingTimeout
	}
	return &TransportError{err}
}

func asProtocolError(err error) error {
	var own *ProtocolError
	var engine *engineio.ProtocolError
	switch {
	case errors.As(err, &own):
		return own
	case errors.As(err, &engine):
		return &ProtocolError{err}
	}
	return nil
}

// refusedError reads the payload of a CONNECT_ERROR packet: an object with
// message and data, or just a string.
func refusedError(data []byte) error {
	var refusal struct {
		Message string          `json:"message"`
		Data    json.RawMessage `json:"data"`
	}
	if json.Unmarshal(data, &refusal) != nil {
		_ = json.Unmarshal(data, &refusal.Message) // a string, or nothing to tell
	}
	return &RefusedError{Message: refusal.Message, Data: refusal.Data}
}
