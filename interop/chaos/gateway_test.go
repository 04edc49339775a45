package chaos

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"testing"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/internal/nodetest"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A gateway is a reverse proxy for HTTP before the server, as in most
// installations.
type gateway struct {
	*httptest.Server
	override atomic.Pointer[http.HandlerFunc] // responds in place of the server; nil for none
}

func startGateway(t *testing.T, backend *nodetest.Backend) *gateway {
	t.Helper()
	to, err := url.Parse(backend.URL())
	require.NoError(t, err)
	transport := &http.Transport{}
	forward := &httputil.ReverseProxy{
		Rewrite:      func(r *httputil.ProxyRequest) { r.SetURL(to) },
		Transport:    transport,
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
	g := &gateway{}
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if override := g.override.Load(); override != nil {
			(*override)(w, r)
			return
		}
		forward.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		g.CloseClientConnections()
		g.Close()
		transport.CloseIdleConnections()
	})
	return g
}

// down makes the gateway respond in place of the server.
func (g *gateway) down(status int) {
	override := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "<html><h1>A page of the gateway</h1></html>")
	})
	g.override.Store(&override)
}

func (g *gateway) up() { g.override.Store(nil) }

// throughGateway starts a client that reaches the server through a gateway.
func throughGateway(t *testing.T, g *gateway, backend *nodetest.Backend, transports ...string) *scene {
	t.Helper()
	target, err := Listen(g.Listener.Addr().String(), nil)
	require.NoError(t, err)
	t.Cleanup(target.Close)
	s := &scene{backend: backend}
	s.peer = startPeer(t, t.Name(), target, startControl(t, backend), chat.Config{
		Stream: chat.StreamConfig{Resume: func(ctx context.Context, stream *chat.Stream) error { return s.resume(ctx, stream) }},
		Conn:   conn.Config{Transports: transports},
	})
	s.states = s.client.States.Chan(t.Context())
	return s
}

var transportOrders = map[string][]string{
	"websocket":         {conn.WebSocket},
	"polling":           {conn.Polling},
	"websocket→polling": {conn.WebSocket, conn.Polling},
	"polling→websocket": {conn.Polling, conn.WebSocket},
}

func TestGateway_retriesUntilServerAnswers(t *testing.T) {
	t.Parallel()
	backend := startServer(t)
	for status, text := range map[int]string{
		http.StatusBadGateway:         "502",
		http.StatusServiceUnavailable: "503",
		http.StatusOK:                 "", // a login page, a captive portal
	} {
		for name, transports := range transportOrders {
			t.Run(http.StatusText(status)+"/"+name, func(t *testing.T) {
				t.Parallel()
				g := startGateway(t, backend)
				g.down(status)
				s := throughGateway(t, g, backend, transports...)
				for range 3 {
					err := wiretest.ReceivePhase(t, s.states, conn.Waiting).Err
					var dial *conn.DialError
					var protocol *conn.ProtocolError
					assert.True(t, errors.As(err, &dial) || errors.As(err, &protocol), "%v", err)
					assert.ErrorContains(t, err, text)
					assert.NotContains(t, err.Error(), "<html>")
				}
				g.up()
				wiretest.ReceivePhase(t, s.states, conn.Ready)
				answered(t, s.begin(t, "r-"+text+name))
			})
		}
	}
}

func TestGateway_completesAnswerAfterOutage(t *testing.T) {
	t.Parallel()
	for _, recovery := range []string{"RECOVERY=0", "RECOVERY=1"} {
		for name, transports := range transportOrders {
			t.Run(recovery+"/"+name, func(t *testing.T) {
				t.Parallel()
				backend := startServer(t, recovery)
				g := startGateway(t, backend)
				s := throughGateway(t, g, backend, transports...)
				stream := s.begin(t, "r1")
				g.down(http.StatusBadGateway)
				s.proxy.Reset()
				for range 2 {
					assert.Error(t, wiretest.ReceivePhase(t, s.states, conn.Waiting).Err)
				}
				g.up()
				wiretest.ReceivePhase(t, s.states, conn.Ready)
				answered(t, stream)
				assert.Empty(t, s.wire.wrong())
			})
		}
	}
}
