package zishang_test

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
)

// serveWebTransport starts the same author's server on a UDP port, and returns
// its URL and what trusts its certificate. The server's own way to listen names
// no protocol to TLS, so that no client gets in: the listening is done here.
func serveWebTransport(t *testing.T) (url string, way *http.Transport) {
	t.Helper()
	certified := httptest.NewTLSServer(nil) // for the certificate, which is good for 127.0.0.1
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
	io.ServeHandler(nil) // which makes the engine
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
	url, way := serveWebTransport(t)
	c, _ := start(t, url, conn.Config{Transports: []string{zishang.WebTransport}, HTTP: way})
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
