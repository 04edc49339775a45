// Package zishang tests conn/zishang over WebTransport, against the server of
// the same author.
package zishang

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/webtransport-go"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/conn/zishang"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/zishang520/socket.io/servers/engine/v3"
	"github.com/zishang520/socket.io/servers/socket/v3"
	"github.com/zishang520/socket.io/v3/pkg/types"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	// On import the client starts a goroutine that never ends.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/zishang520/socket.io/v3/pkg/utils.SetInterval.func1"))
}

// serveWebTransport starts the server on a UDP port. It returns the URL, and a
// transport that trusts the server's certificate. The server's own Listen
// offers no protocol in the TLS handshake, so every client fails; this function
// listens itself.
func serveWebTransport(t *testing.T) (url string, transport *http.Transport) {
	t.Helper()
	certified := httptest.NewTLSServer(nil) // for its certificate, which is valid for 127.0.0.1
	defer certified.Close()
	roots := x509.NewCertPool()
	roots.AddCert(certified.Certificate())
	port, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)

	options := socket.DefaultServerOptions()
	options.SetTransports(types.NewSet(socket.Polling, socket.WebSocket, socket.WebTransport))
	io := socket.NewServer(nil, options)
	_ = io.On("connection", func(clients ...any) {
		client := clients[0].(*socket.Socket)
		_ = client.On("echo", func(args ...any) { _ = client.Emit("echo", args...) })
		_ = client.On("transport", func(args ...any) {
			args[0].(socket.Ack)([]any{client.Conn().Transport().Name()}, nil)
		})
	})
	io.ServeHandler(nil) // creates the engine
	sessions := io.Engine().(engine.Server)

	server := &webtransport.Server{H3: &http3.Server{
		TLSConfig: http3.ConfigureTLSConfig(&tls.Config{Certificates: certified.TLS.Certificates}),
	}}
	webtransport.ConfigureHTTP3Server(server.H3)
	server.H3.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sessions.OnWebTransportSession(types.NewHttpContext(w, r), server)
	})
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(port) }) // ends with the server
	t.Cleanup(func() {
		io.Close(nil)
		_ = server.Close()
		_ = port.Close()
		serving.Wait()
	})
	return "https://" + port.LocalAddr().String(), &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
}

func TestWebTransport_sendsAndReceivesEvents(t *testing.T) {
	url, transport := serveWebTransport(t)
	c, err := conn.New(url, conn.Config{
		Dialer: zishang.Dialer{}, Transports: []string{zishang.WebTransport}, HTTP: transport,
	})
	require.NoError(t, err)
	var running sync.WaitGroup
	running.Go(func() { _ = c.Run(t.Context()) }) // ends with c
	t.Cleanup(func() {
		c.Close()
		running.Wait()
	})
	echo := conn.On[int](c, "echo").Chan(t.Context())
	name, err := conn.Call[string](t.Context(), c, "transport")
	require.NoError(t, err)
	assert.Equal(t, zishang.WebTransport, name)
	for n := range 100 {
		require.NoError(t, c.Emit(t.Context(), "echo", n))
	}
	for n := range 100 {
		require.Equal(t, n, wiretest.ReceiveFrom(t, echo))
	}
}
