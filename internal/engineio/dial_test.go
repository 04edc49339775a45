package engineio

import (
	"bytes"
	"compress/flate"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDial_fallsBackToPolling(t *testing.T) {
	silent := func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	for name, refuse := range map[string]http.HandlerFunc{
		"not found": http.NotFound,
		"forbidden": func(w http.ResponseWriter, r *http.Request) {
			http.Error(w, "no websockets here", http.StatusForbidden)
		},
		"bad gateway":    func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusBadGateway) },
		"plain response": func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "hello") },
		"cut off":        func(w http.ResponseWriter, r *http.Request) { c, _, _ := w.(http.Hijacker).Hijack(); c.Close() },
		"no response":    silent,
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Query().Get("transport") == WebSocket {
					refuse(w, r)
					return
				}
				serveBoth(w, r)
			}))
			defer server.Close()
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			s, err := Dial(ctx, optionsFor(t, server.URL, WebSocket, Polling))
			require.NoError(t, err)
			defer s.CloseNow()
			assert.Equal(t, "hello", readText(t, s))
			assert.IsType(t, &polling{}, s.reading)
		})
	}
}

func TestDial_doesNotFallBackOnPermanentError(t *testing.T) {
	for name, body := range map[string]string{
		"forbidden by the server itself": `{"code":4,"message":"Forbidden"}`,
		"another revision":               `{"code":5,"message":"Unsupported protocol version"}`,
	} {
		t.Run(name, func(t *testing.T) {
			requests := 0
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				requests++
				w.WriteHeader(http.StatusBadRequest)
				_, _ = io.WriteString(w, body)
			}))
			defer server.Close()
			_, err := Dial(t.Context(), optionsFor(t, server.URL, WebSocket, Polling))
			assert.Error(t, err)
			assert.Equal(t, 1, requests)
		})
	}
	_, err := Dial(t.Context(), optionsFor(t, "http://127.0.0.1:1", WebSocket, Polling))
	assert.NotContains(t, err.Error(), "earlier", "the second transport is not tried")

	server := httptest.NewServer(http.HandlerFunc(serveBoth))
	defer server.Close()
	_, err = Dial(t.Context(), optionsFor(t, server.URL, "sse"))
	assert.ErrorContains(t, err, "unknown transport")
}

func TestDial_returnsWhenContextEnds(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer server.Close()
	for _, transports := range [][]string{{WebSocket}, {Polling}, {WebSocket, Polling}, {Polling, WebSocket}} {
		t.Run(strings.Join(transports, ","), func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { _, err := Dial(ctx, optionsFor(t, server.URL, transports...)); ended <- err }()
			cancel()
			assert.ErrorIs(t, <-ended, context.Canceled)
		})
	}
}

// Both transports use the certificates, the dialer and the proxy of HTTP.
func TestDial_usesHTTPTransportSettings(t *testing.T) {
	for _, name := range []string{WebSocket, Polling} {
		t.Run(name+" with certificates", func(t *testing.T) {
			server := httptest.NewUnstartedServer(http.HandlerFunc(serveBoth))
			server.Config.ErrorLog = log.New(io.Discard, "", 0)
			server.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert, MinVersion: tls.VersionTLS12}
			server.StartTLS()
			defer server.Close()
			roots := x509.NewCertPool()
			roots.AddCert(server.Certificate())

			o := optionsFor(t, server.URL, name)
			_, err := Dial(t.Context(), o)
			var bad *tls.CertificateVerificationError
			assert.ErrorAs(t, err, &bad)

			own := &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{
				RootCAs: roots, Certificates: server.TLS.Certificates, ServerName: "example.com", MinVersion: tls.VersionTLS12,
			}}
			defer own.CloseIdleConnections()
			o.HTTP = own
			assert.Equal(t, "hello", readText(t, dialTest(t, o)))
		})

		t.Run(name+" over a unix socket", func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "s")
			listener, err := net.Listen("unix", path)
			require.NoError(t, err)
			server := &http.Server{Handler: http.HandlerFunc(serveBoth), ReadHeaderTimeout: time.Minute}
			go server.Serve(listener) // ends with Close
			defer server.Close()
			own := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, "unix", path)
			}}
			defer own.CloseIdleConnections()
			o := optionsFor(t, "http://localhost", name)
			o.HTTP = own
			assert.Equal(t, "hello", readText(t, dialTest(t, o)))
		})

		t.Run(name+" through a proxy", func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(serveBoth))
			defer server.Close()
			asked := make(chan string, 10)
			proxy := httptest.NewServer(proxyFor(asked))
			defer proxy.Close()
			proxyURL, err := url.Parse(proxy.URL)
			require.NoError(t, err)
			own := &http.Transport{Proxy: http.ProxyURL(proxyURL)}
			defer own.CloseIdleConnections()
			o := optionsFor(t, server.URL, name)
			o.HTTP = own
			assert.Equal(t, "hello", readText(t, dialTest(t, o)))
			assert.Contains(t, server.URL, <-asked)
		})
	}
}

// proxyFor returns a proxy for plain requests and CONNECT tunnels. It sends the
// host of each request on asked.
func proxyFor(asked chan<- string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		asked <- r.Host
		if r.Method != http.MethodConnect {
			r.RequestURI = ""
			response, err := http.DefaultTransport.RoundTrip(r)
			if err != nil {
				w.WriteHeader(http.StatusBadGateway)
				return
			}
			defer http.DefaultTransport.(*http.Transport).CloseIdleConnections()
			defer response.Body.Close()
			_, _ = io.Copy(w, response.Body)
			return
		}
		upstream, err := net.Dial("tcp", r.Host)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		defer upstream.Close()
		c, _, _ := w.(http.Hijacker).Hijack()
		defer c.Close()
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
		// The goroutine ends when one of the two closes.
		go func() { _, _ = io.Copy(upstream, c); upstream.Close() }()
		_, _ = io.Copy(c, upstream)
	}
}

// roundTripper is a RoundTripper that is not an *http.Transport.
type roundTripper struct{ http.RoundTripper }

func TestPolling_usesAnyRoundTripper(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(serveBoth))
	defer server.Close()
	inner := &http.Transport{}
	defer inner.CloseIdleConnections()
	o := optionsFor(t, server.URL, Polling)
	o.HTTP = roundTripper{inner}
	assert.Equal(t, "hello", readText(t, dialTest(t, o)))
}

func TestDial_offersCompressionUnlessDisabled(t *testing.T) {
	offered := make(chan string, 2)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		offered <- r.Header.Get("Sec-WebSocket-Extensions")
		serveBoth(w, r)
	}))
	defer server.Close()
	o := optionsFor(t, server.URL, WebSocket)
	for _, size := range []int{10, 100_000} {
		s := dialTest(t, o)
		assert.Equal(t, "hello", readText(t, s))
		sent := strings.Repeat("x", size)
		require.NoError(t, s.Write(Message{Data: []byte(sent)}, Message{Binary: true, Data: []byte(sent)}))
		assert.Equal(t, sent, readText(t, s))
		assert.Equal(t, sent, readText(t, s))
		assert.Contains(t, <-offered, "permessage-deflate")
	}
	o.NoCompression = true
	dialTest(t, o)
	assert.Empty(t, <-offered)
}

// The frame has about 64 KiB, and inflates to 64 MiB.
func TestRead_limitsInflatedMessageSize(t *testing.T) {
	var bomb bytes.Buffer
	deflate, err := flate.NewWriter(&bomb, flate.BestCompression)
	require.NoError(t, err)
	_, err = deflate.Write([]byte("4" + strings.Repeat("x", 8<<20)))
	require.NoError(t, err)
	require.NoError(t, deflate.Flush())
	payload := bytes.TrimSuffix(bomb.Bytes(), []byte{0, 0, 0xff, 0xff})
	require.Less(t, len(payload), 1<<17)

	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer ws.Close()
		_ = ws.WriteMessage(websocket.TextMessage, []byte(openPacket))
		frame := append([]byte{0xc1, 127, 0, 0, 0, 0, 0, byte(len(payload) >> 16), byte(len(payload) >> 8), byte(len(payload))}, payload...)
		_, _ = ws.NetConn().Write(frame)
		_, _, _ = ws.ReadMessage()
	}))
	defer server.Close()
	s := dialTest(t, optionsFor(t, server.URL, WebSocket))
	_, err = s.Read()
	assert.EqualError(t, err, "engine.io: message exceeds 1048576 bytes")
}
