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

// Dial opens a session: over the first of the transports that comes about. It
// waits for the server's open packet, and ends with ctx wherever it is.
//
// A transport that fails is followed by the next, unless that would fail as
// well: when ctx has ended, when the host cannot be reached at all, when its
// certificate is bad, when the server says that it does not want this client
// or speaks another revision, and when what it says is broken. While another one follows, a transport
// has half of the time that ctx leaves.
//
// Its errors are a [*HandshakeError], a [*ProtocolError], the error of the
// network, or that of ctx.
func Dial(ctx context.Context, o Options) (*Session, error) {
	var before error
	for i, name := range o.Transports {
		last := i == len(o.Transports)-1
		s, err := dialWithin(ctx, o, i, last)
		switch {
		case err == nil:
			return s, nil
		case ctx.Err() != nil:
			return nil, ctx.Err() // what broke underneath, broke because ctx ended
		case last && before != nil:
			return nil, fmt.Errorf("%w (and before, %v)", err, before)
		case last || !anotherMayDo(err):
			return nil, err
		}
		before = fmt.Errorf("%s: %w", name, err)
	}
	return nil, errors.New("no transport to dial with")
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

// anotherMayDo reports whether another transport may succeed where one has
// failed with err.
func anotherMayDo(err error) bool {
	var answer *HandshakeError
	var certificate *tls.CertificateVerificationError
	var network *net.OpError
	var protocol *ProtocolError
	switch {
	case errors.As(err, &answer):
		return answer.Code != CodeForbidden && answer.Code != CodeUnsupported
	case errors.As(err, &certificate), errors.As(err, &protocol):
		return false
	case errors.As(err, &network):
		return network.Op != "dial"
	}
	return true
}

// requestURL is what the requests of a session go to; sid is empty for the
// first one.
func requestURL(o Options, transport, sid string) *url.URL {
	u := *o.URL
	query := u.Query()
	query.Set("EIO", "4")
	query.Set("transport", transport)
	if sid != "" {
		query.Set("sid", sid)
	}
	u.RawQuery = query.Encode()
	return &u
}

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
