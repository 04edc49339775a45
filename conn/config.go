package conn

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/seed67206a74/parley/reconnect"
)

// Defaults of [Config].
const (
	DefaultPath             = "/socket.io/"
	DefaultHandshakeTimeout = 20 * time.Second
	DefaultWriteTimeout     = 10 * time.Second
	DefaultMaxFrame         = 16 << 20 // bytes
	DefaultMaxAttachments   = 10
	DefaultMaxNesting       = 1000
	DefaultMaxQueue         = 1024     // packets
	DefaultMaxQueueBytes    = 16 << 20 // bytes
)

// maxNesting is the limit of the JSON decoder.
const maxNesting = 10_000

// A Config holds the settings of a connection. The zero value has a default for
// each of them.
type Config struct {
	// Path is the path of the server on its host. A slash is added at its end,
	// as the reference client does. If the server does not know that path, a
	// Path without the slash is tried as it is. Default: DefaultPath.
	Path string

	// Query is added to the query of the URL, in each request of a session. Its
	// parameters replace those of the URL with the same name.
	Query url.Values

	// Header is sent with each request of a session.
	Header http.Header

	// Auth is called before each attempt and returns the payload of the CONNECT
	// packet: a value that encodes as a JSON object, or nil for none. Any other
	// value ends Run. Its ctx ends with the attempt, at the latest after
	// HandshakeTimeout. An error is retried unless it is wrapped in
	// reconnect.Permanent. Default: no payload.
	Auth func(ctx context.Context) (any, error)

	// Transports lists the transports to use, in the order in which they are
	// tried. In {Polling, WebSocket} the second is an upgrade of the open
	// session. Default: {WebSocket, Polling}.
	Transports []string

	// HTTP sends the requests, and so sets proxy, TLS and dialing. Polling uses
	// it as it is. A websocket is opened with the Proxy, DialContext,
	// DialTLSContext and TLSClientConfig of an *http.Transport. Another
	// RoundTripper cannot open a websocket, so the default of Transports is
	// then {Polling}. Default: a Transport with the proxy of the environment.
	HTTP http.RoundTripper

	// Jar keeps the server's cookies. Default: cookies are discarded.
	Jar http.CookieJar

	// NoCompression disables permessage-deflate on websocket. By default the
	// client offers it, and compresses messages of 1 KiB and more if the server
	// agrees.
	NoCompression bool

	// Dialer opens the sessions. Default: DefaultDialer.
	Dialer Dialer

	// OnConnect is called after each connect, to send setup messages before
	// Ready. Its ctx ends with the session, and OnConnect must return then. An
	// error ends the session, and is retried unless it is wrapped in
	// reconnect.Permanent. Default: nothing is sent.
	OnConnect func(ctx context.Context, s *Session) error

	// Reconnect sets the delays between attempts and their number. Default: the
	// zero Policy.
	Reconnect reconnect.Policy

	// Retry is called with an error that ends Run by default. If it returns
	// true, Run tries again. It is not called for an error that Auth or
	// OnConnect has wrapped in reconnect.Permanent. Default: always false. The
	// package documentation has a table of errors.
	Retry func(err error) bool

	// HandshakeTimeout limits one attempt, from the call of Auth to the reply
	// to CONNECT. Default: DefaultHandshakeTimeout.
	HandshakeTimeout time.Duration

	// WriteTimeout limits the writing of one message, or of one HTTP post. A
	// write that takes longer ends the session. Default: DefaultWriteTimeout.
	WriteTimeout time.Duration

	// MaxFrame is the size limit in bytes of a message of the server, and of
	// all attachments of one packet together. A larger one ends the session.
	// Default: DefaultMaxFrame.
	MaxFrame int64

	// MaxAttachments is the limit of binary attachments in a packet of the
	// server. A packet with more ends the session. Default:
	// DefaultMaxAttachments, which is also the limit of Socket.IO's own parser.
	MaxAttachments int

	// MaxNesting is the depth to which arrays and objects may nest in an event,
	// its own array included. A deeper event is not delivered, and DecodeErrors
	// reports it with ErrTooDeep. At most 10,000. Default: DefaultMaxNesting.
	MaxNesting int

	// MaxQueue and MaxQueueBytes limit the packets that wait to be written:
	// their number, and the memory that they keep. While the queue is full,
	// Emit and Call wait, and TryEmit drops the event. An empty queue accepts a
	// packet of any size. Defaults: DefaultMaxQueue, DefaultMaxQueueBytes.
	MaxQueue      int
	MaxQueueBytes int64

	// Observers are called with the events of the connection, such as changes
	// of state and frames. Each has the method of one or more of the observer
	// interfaces of this package. Default: none, which costs nothing.
	Observers []any

	// Logger receives state changes (debug), lost connections and slow
	// subscriptions (warn). Auth, header and query are never logged. Default:
	// slog.Default() at the time of New.
	Logger *slog.Logger
}

// withDefaults sets the defaults of fields that are zero.
func (c Config) withDefaults() Config {
	if c.Path == "" {
		c.Path = DefaultPath
	}
	if c.HandshakeTimeout == 0 {
		c.HandshakeTimeout = DefaultHandshakeTimeout
	}
	if c.WriteTimeout == 0 {
		c.WriteTimeout = DefaultWriteTimeout
	}
	if c.MaxFrame == 0 {
		c.MaxFrame = DefaultMaxFrame
	}
	if c.MaxAttachments == 0 {
		c.MaxAttachments = DefaultMaxAttachments
	}
	if c.MaxNesting == 0 {
		c.MaxNesting = DefaultMaxNesting
	}
	if c.MaxQueue == 0 {
		c.MaxQueue = DefaultMaxQueue
	}
	if c.MaxQueueBytes == 0 {
		c.MaxQueueBytes = DefaultMaxQueueBytes
	}
	if c.Transports == nil {
		c.Transports = []string{WebSocket, Polling}
		if _, ok := c.HTTP.(*http.Transport); c.HTTP != nil && !ok {
			c.Transports = []string{Polling}
		}
	}
	if c.Dialer == nil {
		c.Dialer = DefaultDialer
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	c.Header = c.Header.Clone()
	return c
}

// validate rejects settings that are invalid or contradict each other.
func (c Config) validate() error {
	if err := c.validateTransports(); err != nil {
		return fmt.Errorf("conn: Config.Transports %w", err)
	}
	if !strings.HasPrefix(c.Path, "/") {
		return fmt.Errorf("conn: Config.Path %q does not start with a slash", c.Path)
	}
	if c.HandshakeTimeout < 0 || c.WriteTimeout < 0 || c.MaxFrame < 0 ||
		c.MaxAttachments < 0 || c.MaxNesting < 0 || c.MaxQueue < 0 || c.MaxQueueBytes < 0 {
		return errors.New("conn: a timeout or limit of Config is negative")
	}
	if c.MaxNesting > maxNesting {
		return fmt.Errorf("conn: Config.MaxNesting is more than %d", maxNesting)
	}
	if err := validateHeader(c.Header); err != nil {
		return fmt.Errorf("conn: Config.Header: %w", err)
	}
	if err := c.Reconnect.Validate(); err != nil {
		return fmt.Errorf("conn: Config.Reconnect: %w", err)
	}
	return validateObservers(c.Observers)
}

func (c Config) validateTransports() error {
	if len(c.Transports) == 0 {
		return errors.New("is empty: leave it nil for the default")
	}
	if _, ok := c.Dialer.(native); !ok {
		return nil // another dialer validates them itself
	}
	_, plain := c.HTTP.(*http.Transport)
	for i, t := range c.Transports {
		switch {
		case t != WebSocket && t != Polling:
			return fmt.Errorf("names an unknown transport: %q", t)
		case slices.Contains(c.Transports[:i], t):
			return fmt.Errorf("names %s twice", t)
		case t == WebSocket && c.HTTP != nil && !plain:
			return fmt.Errorf("names websocket, which Config.HTTP, a %T, cannot open", c.HTTP)
		}
	}
	return nil
}
