package conn

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/seed67206a74/parley/internal/engineio"
)

var (
	// ErrClosed is returned by all methods after Close.
	ErrClosed = errors.New("conn: closed")

	// ErrRunning is returned by Run while another Run is active.
	ErrRunning = errors.New("conn: already running")

	// ErrPingTimeout ends a session: the server sent no ping within
	// pingInterval plus pingTimeout.
	ErrPingTimeout = errors.New("conn: ping timeout")

	// ErrDisconnected ends Run: the server disconnected this socket ("io server
	// disconnect").
	ErrDisconnected = errors.New("conn: disconnected by the server")

	// ErrProtocolVersion ends Run: the server uses another revision of
	// Engine.IO or Socket.IO. The error that wraps it names the revision or the
	// symptom.
	ErrProtocolVersion = errors.New("conn: the server uses another version of the protocol")

	// ErrSessionLost is returned by calls whose session ended before their
	// outcome was known.
	ErrSessionLost = errors.New("conn: session lost")

	// ErrNotReady is returned by TryEmit when it drops an event, and by Health.
	ErrNotReady = errors.New("conn: not ready")

	// ErrTooDeep is the cause of a DecodeError for an event or acknowledgement
	// that nests deeper than Config.MaxNesting.
	ErrTooDeep = errors.New("conn: nested too deep")
)

// A RefusedError ends Run: the server refused the handshake, with a
// CONNECT_ERROR packet, an Engine.IO error 4 (forbidden), or HTTP status 401 or
// 403.
type RefusedError struct {
	Message string          // from the server; "" if it is not a string
	Data    json.RawMessage // from the server; nil if it sent none
	Status  int             // the HTTP status; 0 if the refusal was a packet

	// Payload is the payload of the CONNECT_ERROR packet as it was received. It
	// may be invalid JSON. It is nil if there was none.
	Payload json.RawMessage
}

func (e *RefusedError) Error() string {
	text := "conn: refused by the server"
	if e.Status != 0 {
		text += " with HTTP status " + strconv.Itoa(e.Status)
	}
	switch {
	case e.Message != "":
		text += ": " + e.Message
	case len(e.Payload) > 0:
		text += ": " + excerpt(e.Payload)
	}
	return text
}

// excerpt returns the beginning of a payload, for an error.
func excerpt(payload []byte) string {
	const limit = 200
	if len(payload) > limit {
		return string(bytes.ToValidUTF8(payload[:limit], nil)) + "…"
	}
	return string(payload)
}

// A ProtocolError reports that the server violated the protocol. It ends the
// session and is retried.
type ProtocolError struct{ Err error }

func (e *ProtocolError) Error() string { return "conn: protocol error: " + e.Err.Error() }

// Unwrap returns the violation.
func (e *ProtocolError) Unwrap() error { return e.Err }

// An AuthError reports that Config.Auth failed. It is retried unless it is
// wrapped in reconnect.Permanent. It ends Run if its payload is a
// TooLargeError.
type AuthError struct{ Err error }

func (e *AuthError) Error() string { return "conn: Config.Auth: " + e.Err.Error() }

// Unwrap returns the error of Config.Auth.
func (e *AuthError) Unwrap() error { return e.Err }

// An OnConnectError reports that Config.OnConnect failed. It ends the session,
// and is retried unless it is wrapped in reconnect.Permanent.
type OnConnectError struct{ Err error }

func (e *OnConnectError) Error() string { return "conn: Config.OnConnect: " + e.Err.Error() }

// Unwrap returns the error of Config.OnConnect.
func (e *OnConnectError) Unwrap() error { return e.Err }

// A DialError reports a failed connection attempt. It is retried unless the
// server's certificate is invalid.
type DialError struct{ Err error }

func (e *DialError) Error() string { return "conn: cannot connect: " + e.Err.Error() }

// Unwrap returns the cause, for example an error of package net.
func (e *DialError) Unwrap() error { return e.Err }

// A TransportError reports that the connection broke or the server closed it.
// It ends the session and is retried.
type TransportError struct{ Err error }

func (e *TransportError) Error() string { return "conn: connection lost: " + e.Err.Error() }

// Unwrap returns the cause, for example an error of package net.
func (e *TransportError) Unwrap() error { return e.Err }

// A SendError reports that an event was not sent or not acknowledged. MaybeSent
// reports whether the server may have received it anyway.
type SendError struct {
	Event     string
	MaybeSent bool // false: the server has not received it
	// Err is the error of the ctx, ErrSessionLost, ErrNotReady, ErrClosed, a
	// *TooLargeError, or the error of Run.
	Err error

	// State is the reason why the call was still waiting when its ctx ended,
	// such as "Run is not running" or "waiting, attempt 3: connection refused".
	// It is "" if the call was not waiting for the connection.
	State string
}

func (e *SendError) Error() string {
	outcome := "not sent"
	if e.MaybeSent {
		outcome = "may have been sent"
	}
	if e.State != "" {
		outcome += " (" + e.State + ")"
	}
	return fmt.Sprintf("conn: event %q %s: %v", e.Event, outcome, e.Err)
}

// Unwrap returns the cause.
func (e *SendError) Unwrap() error { return e.Err }

// stateAt returns the State of a SendError whose call was waiting for Ready
// when it failed with err.
func (c *Conn) stateAt(err error) string {
	if !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		return "" // err has the reason
	}
	health := c.Health()
	if health == nil {
		return ""
	}
	return strings.TrimPrefix(health.Error(), ErrNotReady.Error()+": ")
}

// A TooLargeError reports a message over the size limit of the server, or of a
// proxy before it. Such a message can never arrive. If the limit is known from
// the server's handshake, nothing was sent. Otherwise the server or the proxy
// has refused the message and ended the session.
type TooLargeError struct {
	Size  int64 // in bytes as sent; of an event with attachments, the largest message
	Limit int64 // 0 if it is not known
}

func (e *TooLargeError) Error() string {
	if e.Limit == 0 {
		return fmt.Sprintf("conn: message of %d bytes refused by the server as too large", e.Size)
	}
	return fmt.Sprintf("conn: message of %d bytes exceeds the server's limit of %d", e.Size, e.Limit)
}

// A ReplyError is an error of a handler with its own acknowledgement for the
// server. For any other error the acknowledgement is {"error": "…"} with its
// text.
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

// isPermanent reports whether err ends Run unless Config.Retry returns true.
func isPermanent(err error) bool {
	var refused *RefusedError
	var certificate *tls.CertificateVerificationError
	var auth *AuthError
	var large *TooLargeError
	if errors.As(err, &auth) && errors.As(err, &large) {
		return true
	}
	return errors.As(err, &refused) || errors.As(err, &certificate) ||
		errors.Is(err, ErrDisconnected) || errors.Is(err, ErrProtocolVersion)
}

// dialError converts an error of a dial to one of the exported types.
func dialError(err error) error {
	var response *engineio.HandshakeError
	if errors.As(err, &response) {
		switch {
		case response.Code == engineio.CodeUnsupported:
			return versionError("Engine.IO 3 (" + response.Message + ")")
		case response.Code == engineio.CodeForbidden, response.StatusCode == 401, response.StatusCode == 403:
			return &RefusedError{Message: response.Message, Status: response.StatusCode}
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

// isUnknownPath reports whether the server responded that it does not know the
// path of the handshake. Some servers redirect to the path with a slash.
func isUnknownPath(err error) bool {
	var response *engineio.HandshakeError
	return errors.As(err, &response) && (response.StatusCode == http.StatusNotFound || response.StatusCode/100 == 3)
}

// versionError adds the server's version to ErrProtocolVersion.
func versionError(version string) error { return fmt.Errorf("%w: %s", ErrProtocolVersion, version) }

// readError converts an error of Engine.Read to one of the exported types.
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

// refusedError decodes the payload of a CONNECT_ERROR packet. Usually it is an
// object with message and data, or a string.
func refusedError(payload []byte) error {
	refused := &RefusedError{Payload: bytes.Clone(payload)}
	var members map[string]json.RawMessage
	if json.Unmarshal(payload, &members) == nil {
		_ = json.Unmarshal(members["message"], &refused.Message) // Payload has any other value
		refused.Data = members["data"]
	} else {
		_ = json.Unmarshal(payload, &refused.Message)
	}
	return refused
}

// disconnectedError returns the error for a DISCONNECT packet.
func disconnectedError(payload []byte) error {
	if len(payload) == 0 {
		return ErrDisconnected
	}
	return fmt.Errorf("%w: %s", ErrDisconnected, excerpt(payload))
}
