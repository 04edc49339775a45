package sioserver

import (
	"cmp"
	"net/http"
	"slices"
	"time"
)

// The transports.
const (
	WebSocket = "websocket"
	Polling   = "polling"
)

// Config holds the settings of a Server. The defaults are those of npm's
// socket.io.
type Config struct {
	PingInterval   time.Duration // default 25 s
	PingTimeout    time.Duration // default 20 s
	ConnectTimeout time.Duration // for the first CONNECT of a session; default 45 s
	UpgradeTimeout time.Duration // for a websocket to complete an upgrade; default 10 s
	CloseTimeout   time.Duration // for queued packets when a session is closed; default 1 s

	// MaxPayload is the longest POST body and websocket message in bytes.
	// Default: 1,000,000.
	MaxPayload int64

	// Transports lists the accepted transports. Default: both, and sessions
	// may upgrade from polling to websocket.
	Transports []string

	// Compress enables permessage-deflate, and gzip for poll responses, for
	// packets of 1 KiB or more.
	Compress bool

	// Recovery is how long a lost session can be resumed by connection state
	// recovery. Default: sessions cannot be resumed.
	Recovery time.Duration

	// Cookie is set by the response to the handshake, with the session id as
	// its value. Default: no cookie.
	Cookie *http.Cookie

	// Origins lists the origins for which the CORS headers are sent; "*" means
	// any. Default: no CORS headers.
	Origins []string

	// Allow reports whether a handshake is accepted. An error rejects it with
	// status 403 and the error's text.
	Allow func(r *http.Request) error
}

func (c Config) withDefaults() Config {
	c.PingInterval = cmp.Or(c.PingInterval, 25*time.Second)
	c.PingTimeout = cmp.Or(c.PingTimeout, 20*time.Second)
	c.ConnectTimeout = cmp.Or(c.ConnectTimeout, 45*time.Second)
	c.UpgradeTimeout = cmp.Or(c.UpgradeTimeout, 10*time.Second)
	c.CloseTimeout = cmp.Or(c.CloseTimeout, time.Second)
	c.MaxPayload = cmp.Or(c.MaxPayload, 1_000_000)
	if len(c.Transports) == 0 {
		c.Transports = []string{Polling, WebSocket}
	}
	return c
}

func (c Config) accepts(transport string) bool { return slices.Contains(c.Transports, transport) }
