package engineio

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// polling is the transport over HTTP long-polling. It receives packets by one
// GET after the other, and sends packets by POST.
type polling struct {
	client       *http.Client
	idle         func() // closes idle connections
	url          *url.URL
	header       http.Header
	writeTimeout time.Duration
	maxPayload   int64 // limit of a POST body in bytes; 0 for no limit

	ctx    context.Context // ends with the transport
	cancel context.CancelCauseFunc

	// These fields are used by the reader only.
	body    io.ReadCloser
	payload payloadReader
	pause   func() bool // called before each GET; true makes read return errPaused
	packets int         // read from body

	mu      sync.Mutex
	closing bool        // a close packet has been sent
	expiry  *time.Timer // cancels ctx when no ping arrives in time
}

// errPaused is returned by read if pause returns true. read may be called
// again.
var errPaused = errors.New("polling is paused")

func newPolling(o Options, u *url.URL) *polling {
	p := &polling{
		url:          u,
		header:       joinCookies(o.Header),
		writeTimeout: o.WriteTimeout,
		idle:         func() {},
		pause:        func() bool { return false },
	}
	p.payload.maxFrame = o.MaxFrame
	p.ctx, p.cancel = context.WithCancelCause(context.Background())
	roundTripper := o.HTTP
	if roundTripper == nil {
		own := &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            new(net.Dialer).DialContext,
			ForceAttemptHTTP2:      true,
			MaxResponseHeaderBytes: maxResponse,
			IdleConnTimeout:        time.Minute,
		}
		roundTripper, p.idle = own, own.CloseIdleConnections
	}
	p.client = &http.Client{
		Transport:     roundTripper,
		Jar:           o.Jar,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return p
}

// request sends a request, and returns the response if its status is 2xx.
func (p *polling) request(ctx context.Context, method string, body []byte) (*http.Response, error) {
	u := *p.url
	query := u.Query()
	name := "t"
	for query.Has(name) { // it is the user's
		name = "_" + name
	}
	query.Set(name, rand.Text()) // prevents responses from a cache
	u.RawQuery = encodeQuery(query)
	// For this type of reader net/http sends no body, and cannot retry the
	// request. A retried GET would lose the packets of the first response.
	var reader io.Reader = io.MultiReader()
	if body != nil {
		reader = bytes.NewReader(body)
	}
	request, err := http.NewRequestWithContext(ctx, method, u.String(), reader)
	if err != nil {
		// err contains the URL, which may contain a secret.
		return nil, errors.New("invalid request URL")
	}
	for name, values := range p.header {
		request.Header[name] = values
	}
	if host := p.header.Get("Host"); host != "" {
		request.Host = host
	}
	if body != nil {
		request.Header.Set("Content-Type", "text/plain;charset=UTF-8")
	}
	response, err := p.client.Do(request)
	if err != nil {
		return nil, p.cause(err)
	}
	if response.StatusCode < 200 || response.StatusCode > 299 {
		defer response.Body.Close()
		return nil, statusError(response)
	}
	return response, nil
}

// cause returns the cause of an error of the HTTP client, without the URL.
// After the end of the transport it returns the reason of that end.
func (p *polling) cause(err error) error {
	if p.ctx.Err() != nil {
		return context.Cause(p.ctx)
	}
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		return wrapped.Err
	}
	return err
}

func (p *polling) read() (packet, error) {
	for {
		if p.body == nil {
			p.mu.Lock()
			closing := p.closing
			p.mu.Unlock()
			if closing {
				return packet{}, net.ErrClosed
			}
			if p.pause() {
				return packet{}, errPaused
			}
			response, err := p.request(p.ctx, http.MethodGet, nil)
			if err != nil {
				return packet{}, err
			}
			p.body = response.Body
			p.payload.reset(p.body)
			p.payload.left = response.ContentLength
			p.packets = 0
		}
		got, err := p.payload.next()
		if err == nil {
			p.packets++
			return got, nil
		}
		p.body.Close()
		p.body = nil
		if err != io.EOF {
			var protocol *ProtocolError
			if errors.As(err, &protocol) {
				return packet{}, err
			}
			return packet{}, p.cause(err)
		}
	}
}

func (p *polling) sizeOf(one packet) int { return one.encodedLen() }

// write posts packets, several in one body. If the server or a proxy refuses a
// body for its size, its packets are posted one by one.
func (p *polling) write(packets []packet) error {
	for len(packets) > 0 {
		body, n := encodePayload(packets, p.maxPayload)
		err := p.postWithin(body)
		switch {
		case isTooLarge(err) && n > 1:
			err = p.writeEach(packets[:n])
		case isTooLarge(err):
			err = &TooLargeError{Size: int64(len(body)), Err: err}
		}
		if err != nil {
			return err
		}
		packets = packets[n:]
	}
	return nil
}

// writeEach posts each packet in a body of its own.
func (p *polling) writeEach(packets []packet) error {
	for i := range packets {
		if err := p.write(packets[i : i+1]); err != nil {
			return err
		}
	}
	return nil
}

func isTooLarge(err error) bool {
	var response *HandshakeError
	return errors.As(err, &response) && response.StatusCode == http.StatusRequestEntityTooLarge
}

// postWithin posts a body within the write timeout.
func (p *polling) postWithin(body []byte) error {
	ctx, cancel := context.WithTimeout(p.ctx, p.writeTimeout)
	defer cancel()
	return p.post(ctx, body)
}

func (p *polling) post(ctx context.Context, body []byte) error {
	response, err := p.request(ctx, http.MethodPost, body)
	if err != nil {
		if ctx.Err() != nil && p.ctx.Err() == nil {
			return fmt.Errorf("POST timed out: %w", ctx.Err())
		}
		return err
	}
	defer response.Body.Close()
	// The connection can be reused only after the body has been read.
	_, err = io.Copy(io.Discard, io.LimitReader(response.Body, maxResponse))
	if err != nil {
		return p.cause(err)
	}
	return nil
}

// readUntil ends the transport at t. A further call replaces t.
func (p *polling) readUntil(t time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.expiry == nil {
		p.expiry = time.AfterFunc(time.Until(t), func() { p.cancel(ErrPingTimeout) })
	} else {
		p.expiry.Reset(time.Until(t))
	}
}

// close posts a close packet. The server then ends the pending GET.
func (p *polling) close(within time.Duration) error {
	p.mu.Lock()
	p.closing = true
	p.mu.Unlock()
	ctx, cancel := context.WithTimeout(p.ctx, within)
	defer cancel()
	return p.post(ctx, packet{kind: closing}.appendText(nil))
}

func (p *polling) closeNow() {
	p.mu.Lock()
	if p.expiry != nil {
		p.expiry.Stop()
	}
	p.mu.Unlock()
	p.cancel(net.ErrClosed)
	p.idle()
}
