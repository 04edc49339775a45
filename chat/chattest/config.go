package chattest

import (
	"net/http"
	"time"

	"github.com/seed67206a74/parley/events"
)

// Config configures a Server. With its zero value every client is accepted and
// every message is echoed under the default names.
type Config struct {
	// Answer replies to each user message. Default: Echo(0).
	Answer Answer

	// Auth decides about each client that connects. It gets the object of the
	// client's CONNECT packet, with numbers as json.Number; nil without one. An
	// error refuses the client, with the error's text as the message; a
	// *conn.RefusedError refuses with its Message and Data. Auth may be called
	// for several clients at once. It is not called for a client whose session
	// is recovered. Default: every client is accepted.
	Auth func(auth map[string]any) error

	// Admit decides about each client that connects, after Auth and in the same
	// way, with its query, headers and namespace. The CONNECT is not answered
	// yet: events that Admit emits arrive before the answer.
	Admit func(k *Socket) error

	// OnConnect is called for each client that has connected, before its first
	// event is handled, and for each recovered session. It may block: the
	// client's events wait.
	OnConnect func(k *Socket)

	// Namespaces are served in addition to "/". Each has its own rooms.
	Namespaces []string

	// Names renames events, both sent and received ones. Discovery reports them
	// to clients. Default: each key's DefaultName.
	Names map[events.Key]string

	// Recovery is how long a lost session can be recovered, by Socket.IO's
	// connection state recovery: with its id, its rooms and all events that the
	// client has missed. The answer to its question continues meanwhile. A
	// client that disconnects, or is disconnected, has no session to recover.
	// Default: sessions are not recovered.
	Recovery time.Duration

	// PingInterval and PingTimeout are the heartbeat of a session.
	// Default: 25 s and 20 s.
	PingInterval, PingTimeout time.Duration

	// ConnectTimeout is how long a session may stay without a CONNECT packet.
	// Default: 45 s.
	ConnectTimeout time.Duration

	// Transports lists the accepted transports: conn.WebSocket, conn.Polling.
	// Default: both.
	Transports []string

	// Compression enables permessage-deflate. Default: disabled.
	Compression bool

	// Fault plans the faults of each TCP connection, by its number from 0.
	// Default: none.
	Fault func(connection int) Fault

	// MessageID returns the id of the chat:message that a user message is
	// broadcast as. Default: the id of the user message.
	MessageID func(q events.UserMessage) string

	// Middleware wraps the HTTP handler of the backend: to refuse requests with
	// a status, for example, or to record them. Default: none.
	Middleware func(http.Handler) http.Handler

	// OmitRequestIDs sends all events without requestId, as some backends do.
	// Default: events that belong to a question carry its requestId.
	OmitRequestIDs bool
}
