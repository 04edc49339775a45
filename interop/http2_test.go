package interop

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/conn"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// trust returns a RoundTripper that trusts roots only, and uses HTTP/2 if the
// server offers it.
func trust(t *testing.T, roots *x509.CertPool) *http.Transport {
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

// A proxy speaks HTTP/2 with TLS. Polling uses that, and a websocket beside it
// HTTP/1.1.
func TestHTTP2_servesPollingBesideWebSocket(t *testing.T) {
	t.Parallel()
	backend := startBackend(t)
	for name, way := range transports {
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex
			// The number of requests, by transport and protocol.
			protocols := map[string]map[string]int{conn.WebSocket: {}, conn.Polling: {}}
			forward := proxyTo(t, backend.URL())
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				protocols[r.URL.Query().Get("transport")][r.Proto]++
				mu.Unlock()
				forward.ServeHTTP(w, r)
			}))
			server.EnableHTTP2 = true
			server.StartTLS()
			t.Cleanup(server.Close)
			roots := x509.NewCertPool()
			roots.AddCert(server.Certificate())
			client, _ := startClient(t, server.URL, chat.Config{Conn: conn.Config{
				Transports: way, HTTP: trust(t, roots),
			}})
			requireAnswer(t, client, 300)
			requireAnswer(t, client, 300)
			require.EqualValues(t, 1, client.Stats().Conn.Sessions)

			mu.Lock()
			defer mu.Unlock()
			for transport, used := range protocols {
				proto := map[string]string{conn.WebSocket: "HTTP/1.1", conn.Polling: "HTTP/2.0"}[transport]
				if name == transport || name == "polling→websocket" {
					assert.Positive(t, used[proto], "%s: %v", transport, used)
					assert.Len(t, used, 1, "%s: %v", transport, used)
				} else {
					assert.Empty(t, used, transport)
				}
			}
		})
	}
}
