package engineio

import (
	"net/http"
	"net/url"
	"time"
)

// Options say how to open a session.
type Options struct {
	URL           *url.URL          // http or https; path and query as they go out, the protocol's own parameters apart
	Header        http.Header       // on every request
	Transports    []string          // [WebSocket], [Polling]: tried in this order; after polling, websocket is an upgrade
	HTTP          http.RoundTripper // nil: a transport of the session's own, with the proxy of the environment
	Jar           http.CookieJar    // nil: cookies are not kept
	NoCompression bool              // do not offer permessage-deflate
	MaxFrame      int64             // bytes; a longer message ends the session
	WriteTimeout  time.Duration     // for one message, or one post
}

// The transports.
const (
	WebSocket = "websocket"
	Polling   = "polling"
)
