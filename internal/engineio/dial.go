package engineio

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Options are the settings of a session.
type Options struct {
	URL    *url.URL    // http or https; EIO, transport and sid are added to its query
	Header http.Header // sent with each request

	// Transports are tried in this order. If WebSocket follows Polling, a
	// session over polling is upgraded to websocket when the server offers
	// that.
	Transports []string

	// HTTP sends the requests. A websocket uses its settings only if it is an
	// *http.Transport. Nil means a new transport with the proxy of the
	// environment.
	HTTP http.RoundTripper

	Jar           http.CookieJar // nil: cookies are dropped
	NoCompression bool           // do not offer permessage-deflate
	MaxFrame      int64          // bytes; a longer message ends the session
	WriteTimeout  time.Duration  // for one message, or one POST
}

// The transports.
const (
	WebSocket = "websocket"
	Polling   = "polling"
)

// Dial opens a session over the first transport that succeeds, and waits for
// the server's open packet. It returns ctx.Err() when ctx ends.
//
// After a failure Dial tries the next transport. While another one follows, a
// transport has half of the time until the deadline of ctx. After these
// failures Dial tries no other transport, because it would fail as well:
//
//   - ctx has ended;
//   - the host cannot be reached;
//   - the certificate is invalid;
//   - the server forbids the request, or uses another protocol revision;
//   - the server's data violates the protocol.
//
// The error is a [*HandshakeError], a [*ProtocolError], an error of the network
// or the error of ctx.
func Dial(ctx context.Context, o Options) (*Session, error) {
	var before error
	for i, name := range o.Transports {
		last := i == len(o.Transports)-1
		s, err := dialWithin(ctx, o, i, last)
		switch {
		case err == nil:
			return s, nil
		case ctx.Err() != nil:
			return nil, ctx.Err() // err is a consequence
		case last && before != nil:
			return nil, fmt.Errorf("%w (earlier: %v)", err, before)
		case last || !canFallBack(err):
			return nil, err
		}
		before = fmt.Errorf("%s: %w", name, err)
	}
	return nil, errors.New("no transport is configured")
}

func dialWithin(ctx context.Context, o Options, i int, last bool) (*Session, error) {
	if deadline, ok := ctx.Deadline(); ok && !last {
		half, cancel := context.WithTimeout(ctx, time.Until(deadline)/2)
		defer cancel()
		ctx = half
	}
	s, err := dial(ctx, o, o.Transports[i])
	if err != nil && ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err == nil && o.Transports[i] == Polling &&
		slices.Contains(o.Transports[i:], WebSocket) && slices.Contains(s.handshake.upgrades, WebSocket) {
		s.startUpgrade(o)
	}
	return s, err
}

// canFallBack reports whether another transport may succeed after err.
func canFallBack(err error) bool {
	var handshake *HandshakeError
	var certificate *tls.CertificateVerificationError
	var network *net.OpError
	var protocol *ProtocolError
	switch {
	case errors.As(err, &handshake):
		return handshake.Code != CodeForbidden && handshake.Code != CodeUnsupported
	case errors.As(err, &certificate), errors.As(err, &protocol):
		return false
	case errors.As(err, &network):
		return network.Op != "dial"
	}
	return true
}

// headerTo returns the header of a websocket handshake at u: Header, with the
// cookies of Jar after its own. A client over polling adds those of Jar itself.
func (o Options) headerTo(u *url.URL) http.Header {
	r := http.Request{Header: joinCookies(o.Header)}
	if o.Jar != nil {
		for _, cookie := range o.Jar.Cookies(u) {
			r.AddCookie(cookie)
		}
	}
	return r.Header
}

// joinCookies returns a copy of header with its cookies in one line.
func joinCookies(header http.Header) http.Header {
	joined := http.Header{}
	var cookies []string
	for name, values := range header {
		if http.CanonicalHeaderKey(name) == "Cookie" {
			cookies = append(cookies, values...)
		} else {
			joined[name] = values
		}
	}
	if len(cookies) > 0 {
		joined.Set("Cookie", strings.Join(cookies, "; "))
	}
	return joined
}

// requestURL returns the URL of a session's requests. In the first request sid
// is empty.
func requestURL(o Options, transport, sid string) *url.URL {
	u := *o.URL
	query := u.Query()
	query.Set("EIO", "4")
	query.Set("transport", transport)
	if sid != "" {
		query.Set("sid", sid)
	}
	u.RawQuery = encodeQuery(query)
	return &u
}

// encodeQuery encodes a space as %20, as the reference client does.
func encodeQuery(query url.Values) string { return strings.ReplaceAll(query.Encode(), "+", "%20") }

// dial opens a session over one transport.
func dial(ctx context.Context, o Options, name string) (*Session, error) {
	s := &Session{}
	switch name {
	case WebSocket:
		ws, err := dialWebSocket(ctx, o, requestURL(o, name, ""))
		if err != nil {
			return nil, err
		}
		s.transport = ws
		s.control(ws)
	case Polling:
		s.transport = newPolling(o, requestURL(o, name, ""))
	default:
		return nil, fmt.Errorf("unknown transport %q", name)
	}
	s.reading = s.transport
	s.ctx, s.cancel = context.WithCancel(context.Background())

	stop := context.AfterFunc(ctx, func() { s.CloseNow() })
	err := s.readOpen()
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		s.CloseNow()
		return nil, err
	}
	if p, ok := s.transport.(*polling); ok {
		p.url = requestURL(o, name, s.handshake.sid)
		p.maxPayload = s.handshake.maxPayload
	}
	return s, nil
}
