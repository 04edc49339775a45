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

// maxNesting is what the JSON decoder takes at most.
const maxNesting = 10_000

// A Config says how to connect. Its zero value connects to a server with the
// usual path and needs no room.
type Config struct {
	// Path is where the server answers on its host. Default: DefaultPath.
	Path string

	// Query is added to the query of the URL, on every request of a session.
	Query url.Values

	// Header goes out with every request of a session.
	Header http.Header

	// Auth is asked on every attempt for what the CONNECT packet carries:
	// something that encodes as a JSON object, or nil for nothing; anything
	// else ends Run. Its ctx ends with the handshake's time. An error is worth
	// another try, unless it is wrapped in reconnect.Permanent.
	// Default: no auth.
	Auth func(ctx context.Context) (any, error)

	// Transports lists the transports to use, in the order in which they are
	// tried; after Polling, WebSocket is an upgrade of the open session.
	// Default: {WebSocket, Polling}.
	Transports []string

	// HTTP is how requests reach the server: proxy, TLS, how to dial. Polling
	// goes through it; a websocket is opened with the Proxy, DialContext,
	// DialTLSContext and TLSClientConfig of an *http.Transport. Through
	// another RoundTripper no websocket can be opened: Transports is then
	// {Polling}. Default: a Transport with the proxy of the environment.
	HTTP http.RoundTripper

	// Jar keeps the server's cookies. Default: they are not kept.
	Jar http.CookieJar

	// NoCompression keeps permessage-deflate from being offered on websocket.
	// Where the server agrees, messages from 1 KiB on are compressed.
	NoCompression bool

	// Dialer opens the sessions. Default: the native client.
	Dialer Dialer

	// OnConnect is called after each connect, to send setup messages before
	// Ready. Its ctx ends with the session, and OnConnect must return then. An
	// error ends the session. It is retried unless it is wrapped in
	// reconnect.Permanent. Default: nothing.
	OnConnect func(ctx context.Context, s *Session) error

	// Reconnect says when to try again. Default: the zero Policy.
	Reconnect reconnect.Policy

	// Retry is asked about an error that ends Run by default; true tries again.
	// It is not asked about one that Auth or OnConnect has marked with
	// reconnect.Permanent.
	// Default: always false. The table of errors is in the package's manual.
	Retry func(err error) bool

	// HandshakeTimeout bounds one attempt from the start of the dial to the
	// answer to CONNECT. Default: DefaultHandshakeTimeout.
	HandshakeTimeout time.Duration

	// WriteTimeout bounds the writing of one packet; a session that takes
	// longer has ended. Default: DefaultWriteTimeout.
	WriteTimeout time.Duration

	// MaxFrame is the size in bytes of the largest message the server may
	// send, and of all attachments of one packet together; a larger one ends
	// the session. Default: DefaultMaxFrame.
	MaxFrame int64

	// MaxAttachments is how many binary attachments a packet of the server may
	// have; one with more ends the session. Default: DefaultMaxAttachments,
	// which is also what Socket.IO's own parser allows.
	MaxAttachments int

	// MaxNesting is how deep arrays and objects may nest in an event, its own
	// array included. A deeper event is not delivered; DecodeErrors reports it
	// with ErrTooDeep. At most 10,000. Default: DefaultMaxNesting.
	MaxNesting int

	// MaxQueue and MaxQueueBytes bound what waits to be written: while the
	// queue is full, Emit and Call wait, and TryEmit drops. Defaults:
	// DefaultMaxQueue, DefaultMaxQueueBytes.
	MaxQueue      int
	MaxQueueBytes int64

	// Logger is told of state changes (debug), lost connections and slow
	// subscriptions (warn). It never gets auth, header or query.
	// Default: slog.Default() at the time of New.
	Logger *slog.Logger
}

// withDefaults fills what is not set.
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
		c.Dialer = native{}
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	c.Header = c.Header.Clone()
	return c
}

// validate looks for what contradicts itself.
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
	return nil
}

func (c Config) validateTransports() error {
	if len(c.Transports) == 0 {
		return errors.New("is empty: leave it nil for the default")
	}
	if _, ok := c.Dialer.(native); !ok {
		return nil // the dialer knows what it can do
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
