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

// A Dialer opens the Engine.IO sessions of a connection. The one of
// [Config] is native; package conn/zishang has another.
type Dialer interface {
	// Dial opens a session, and returns when the server's open packet has
	// come, when that has failed, or when ctx ends. A *DialError,
	// *RefusedError, *ProtocolError or ErrProtocolVersion is kept as it is;
	// any other error becomes a *DialError.
	Dial(ctx context.Context, to Endpoint) (Engine, error)
}

// An Endpoint is what a session is opened to, and how: the settings of a
// Config that concern the dial, with its defaults filled in.
type Endpoint struct {
	URL           *url.URL // http or https; path and query as they go out, the protocol's own parameters apart
	Header        http.Header
	Transports    []string
	HTTP          http.RoundTripper
	Jar           http.CookieJar
	NoCompression bool
	MaxFrame      int64
	WriteTimeout  time.Duration
}

// An Engine is an open Engine.IO session. It answers the server's heartbeat
// itself, and notices its absence. One goroutine reads while others write.
type Engine interface {
	// Read waits for the next message. Its error is final: ErrPingTimeout and
	// a *ProtocolError are kept as they are, any other becomes a
	// *TransportError.
	Read() (Message, error)

	// Write sends messages in their order, with nothing in between, and
	// returns when they are written. After an error the session is of no more
	// use.
	Write(messages ...Message) error

	// Close tells the server, within the given time, that the session ends.
	// Read fails when the server has answered.
	Close(within time.Duration) error

	// CloseNow closes the connection at once: Read and Write fail from then on.
	// It may be called more than once, from any goroutine.
	CloseNow() error
}

// A Message is what an [Engine] carries: Data, which is text unless Binary is
// set. The data of one that was read is good until the next Read.
type Message = engineio.Message

// native is the Dialer of a Config that names none.
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
		URL:           c.target.url,
		Header:        c.cfg.Header,
		Transports:    c.cfg.Transports,
		HTTP:          c.cfg.HTTP,
		Jar:           c.cfg.Jar,
		NoCompression: c.cfg.NoCompression,
		MaxFrame:      c.cfg.MaxFrame,
		WriteTimeout:  c.cfg.WriteTimeout,
	}
}
