package conn

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/seed67206a74/parley/internal/engineio"
)

// The transports that Config.Transports can name.
const (
	WebSocket = engineio.WebSocket
	Polling   = engineio.Polling
)

// A Dialer opens the Engine.IO sessions of a connection. The default is the
// native client; package conn/zishang has another.
type Dialer interface {
	// Dial opens a session. It returns when the server's open packet has
	// arrived, when that has failed, or when ctx ends. An error that is a
	// *DialError, *RefusedError, *ProtocolError or ErrProtocolVersion is kept;
	// any other becomes a *DialError.
	Dial(ctx context.Context, to Endpoint) (Engine, error)
}

// An Endpoint holds the settings of a Config that concern the dial, with the
// defaults filled in.
type Endpoint struct {
	URL           *url.URL // http or https; without the query parameters of the protocol
	Header        http.Header
	Transports    []string
	HTTP          http.RoundTripper
	Jar           http.CookieJar
	NoCompression bool
	MaxFrame      int64
	WriteTimeout  time.Duration
}

// An Engine is an open Engine.IO session. It replies to the server's pings and
// detects their absence. One goroutine reads while others write.
//
// An Engine may have a method Heartbeat() time.Duration, which returns
// pingInterval plus pingTimeout. Without it, a resumed session that breaks is
// not resumed again.
type Engine interface {
	// Read waits for the next message. Its error is final: ErrPingTimeout and a
	// *ProtocolError are kept, any other becomes a *TransportError.
	Read() (Message, error)

	// Write sends messages in their order, without others between them, and
	// returns when they are written. After an error the session is unusable.
	Write(messages ...Message) error

	// Close notifies the server that the session ends, within the given time.
	// Read fails once the server has replied.
	Close(within time.Duration) error

	// CloseNow closes the connection at once. From then on Read and Write fail.
	// It may be called more than once, from any goroutine.
	CloseNow() error
}

// A Message is a message of an [Engine]: text, or binary if Binary is set. Data
// that was read is valid until the next Read.
type Message = engineio.Message

// DefaultDialer is the native client. A Dialer of your own can wrap it, for
// example to record the messages of its sessions. The writes of a wrapped
// Engine are made by the goroutine of the session, not by the caller.
var DefaultDialer Dialer = native{}

type native struct{}

func (native) Dial(ctx context.Context, to Endpoint) (Engine, error) {
	s, err := engineio.Dial(ctx, engineio.Options(to))
	if err != nil {
		return nil, err
	}
	return s, nil
}

func (c *Conn) endpoint() Endpoint {
	return Endpoint{
		URL:           c.dialURL,
		Header:        c.cfg.Header,
		Transports:    c.cfg.Transports,
		HTTP:          c.cfg.HTTP,
		Jar:           c.cfg.Jar,
		NoCompression: c.cfg.NoCompression,
		MaxFrame:      c.cfg.MaxFrame,
		WriteTimeout:  c.cfg.WriteTimeout,
	}
}
