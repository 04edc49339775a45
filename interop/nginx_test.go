package interop

import (
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/internal/nginxtest"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// forwarding has the directives of http for the proxies of these tests.
const forwarding = `
map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
proxy_http_version 1.1;
proxy_read_timeout 60s;`

// upgradeHeaders forwards an upgrade to websocket.
const upgradeHeaders = `
proxy_set_header Upgrade $http_upgrade;
proxy_set_header Connection $connection_upgrade;`

// transportTo returns a RoundTripper to a proxy.
func transportTo(t *testing.T, n *nginxtest.Server, roots *x509.CertPool) *http.Transport {
	transport := trust(t, roots)
	transport.DialContext = n.Dial
	return transport
}

// used returns the transport of a session, as the server knows it.
func used(t *testing.T, client *chat.Client) string {
	t.Helper()
	handshake, err := conn.Call[struct{ Transport string }](wiretest.Context(t), client.Conn(), "debug:handshake")
	require.NoError(t, err)
	return handshake.Transport
}

// awaitUpgrade waits until the server uses websocket.
func awaitUpgrade(t *testing.T, client *chat.Client) {
	t.Helper()
	require.Eventually(t, func() bool { return used(t, client) == conn.WebSocket }, time.Minute, time.Millisecond)
}

func TestNginx_withPrefixAndGzip(t *testing.T) {
	t.Parallel()
	backend := startBackend(t)
	n := nginxtest.Start(t, forwarding, "", `
		location /realtime/ {
			proxy_pass `+backend.URL()+`/;`+upgradeHeaders+`
			proxy_set_header Accept-Encoding ""; # so that nginx compresses
			gzip on;
			gzip_types *;
			gzip_min_length 1;
		}`)
	for name, way := range transports {
		t.Run(name, func(t *testing.T) {
			client, _ := startClient(t, "http://127.0.0.1", chat.Config{Conn: conn.Config{
				Transports: way, Path: "/realtime/socket.io", HTTP: transportTo(t, n, nil),
			}})
			requireAnswer(t, client, 300)
			assert.EqualValues(t, 1, client.Stats().Conn.Sessions)
			if name != conn.Polling {
				awaitUpgrade(t, client)
			}
		})
	}
	assert.Regexp(t, `polling HTTP/1.1 200 gzip=\d`, n.Log("access.log"))
}

func TestNginx_withTLSAndHTTP2(t *testing.T) {
	t.Parallel()
	backend := startBackend(t)
	cert, key := wiretest.Certificate(t)
	n := nginxtest.Start(t, forwarding, "ssl http2", `
		ssl_certificate `+cert+`;
		ssl_certificate_key `+key+`;
		location / { proxy_pass `+backend.URL()+`;`+upgradeHeaders+` }`)
	authority, err := os.ReadFile(cert)
	require.NoError(t, err)
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(authority))
	for name, way := range transports {
		t.Run(name, func(t *testing.T) {
			client, _ := startClient(t, "https://127.0.0.1", chat.Config{Conn: conn.Config{
				Transports: way, HTTP: transportTo(t, n, roots),
			}})
			requireAnswer(t, client, 300)
			assert.EqualValues(t, 1, client.Stats().Conn.Sessions)
			if name != conn.Polling {
				awaitUpgrade(t, client)
			}
		})
	}
	assert.Contains(t, n.Log("access.log"), "polling HTTP/2.0 200")
	assert.NotContains(t, n.Log("access.log"), "polling HTTP/1.1")
}

// nginx does not forward an upgrade by default, or forbids it. Then the client
// uses polling, and without polling the error has the status.
func TestNginx_withoutWebSocket(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ content, err string }{
		"upgrade swallowed":   {"", "conn: cannot connect: unexpected HTTP status 400"},
		"websocket forbidden": {"if ($arg_transport = websocket) { return 403; }", "conn: refused by the server with HTTP status 403"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			backend := startBackend(t)
			n := nginxtest.Start(t, forwarding, "", "location / { "+tc.content+" proxy_pass "+backend.URL()+"; }")
			for _, way := range [][]string{{conn.Polling, conn.WebSocket}, {conn.WebSocket, conn.Polling}} {
				client, _ := startClient(t, "http://127.0.0.1", chat.Config{Conn: conn.Config{
					Transports: way, HTTP: transportTo(t, n, nil),
				}})
				requireAnswer(t, client, 300)
				assert.Equal(t, conn.Polling, used(t, client), way)
				assert.EqualValues(t, 1, client.Stats().Conn.Attempts, way)
			}
			assert.Regexp(t, `websocket HTTP/1.1 40[03]`, n.Log("access.log"))

			client, err := conn.New("http://127.0.0.1", conn.Config{
				Transports: []string{conn.WebSocket}, HTTP: transportTo(t, n, nil), Reconnect: soon,
			})
			require.NoError(t, err)
			states := client.States.Chan(t.Context())
			wiretest.Run(t, client)
			for state := range states {
				if state.Err != nil {
					assert.ErrorContains(t, state.Err, tc.err)
					break
				}
			}
		})
	}
}

// nginx reloads its configuration while an answer streams and events are
// delivered. Nothing is lost.
func TestNginx_reloadsUnderLoad(t *testing.T) {
	t.Parallel()
	const delivered = 100
	for name, way := range transports {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			backend := startBackend(t)
			n := nginxtest.Start(t, forwarding, "", `location / { proxy_pass `+backend.URL()+`;`+upgradeHeaders+` }`)
			var client *chat.Client
			client, _ = startClient(t, "http://127.0.0.1", chat.Config{
				Stream: chat.StreamConfig{OnGap: chat.FailOnGap, Resume: resumeFrom(&client)},
				Conn:   conn.Config{Transports: way, HTTP: transportTo(t, n, nil)},
			})
			ctx := wiretest.Context(t)
			stream, err := client.Ask(ctx, chat.Question{UserID: user, Text: "/tokens 400 5"})
			require.NoError(t, err)
			failures := make(chan error, 1)
			go func() { // ends with the last event, or with ctx
				for id := range delivered {
					if _, err := client.DeliverEvent(ctx, "echo", map[string]int{"id": id}); err != nil {
						failures <- err
						return
					}
				}
				failures <- nil
			}()
			for token := range stream.Tokens() {
				if token.Index%100 == 50 {
					n.Reload()
				}
			}
			message, err := stream.Wait()
			require.NoError(t, err)
			assert.Equal(t, counted(400), message.Text)
			require.NoError(t, wiretest.ReceiveFrom(t, failures))
			events := slices.Compact(of(received(t, client), "echo")) // an event may arrive twice
			require.Len(t, events, delivered)
			for id, event := range events {
				assert.Contains(t, event, fmt.Sprintf(`"id":%d`, id))
			}
			if name == conn.Polling { // a websocket keeps its old worker
				pids := map[string]bool{}
				for line := range strings.Lines(n.Log("access.log")) {
					_, pid, _ := strings.Cut(line, "pid=")
					pids[pid] = true
				}
				assert.Greater(t, len(pids), 1, "a new worker has served requests")
			}
		})
	}
}

// nginx has a limit for a body, which the handshake does not name. A message
// over it fails, and the messages after it are delivered.
func TestNginx_limitsBody(t *testing.T) {
	t.Parallel()
	backend := startBackend(t)
	n := nginxtest.Start(t, forwarding, "", `location / { client_max_body_size 1k; proxy_pass `+backend.URL()+`; }`)
	client, _ := startClient(t, "http://127.0.0.1", chat.Config{Conn: conn.Config{
		Transports: []string{conn.Polling}, HTTP: transportTo(t, n, nil),
	}})
	ctx := wiretest.Context(t)
	for _, size := range []int{2_000, 900_000} { // the limit of the server is 1,000,000
		_, err := client.DeliverEvent(ctx, "echo", strings.Repeat("x", size))
		var large *conn.TooLargeError
		require.ErrorAs(t, err, &large)
		assert.Zero(t, large.Limit)
		reply, err := client.DeliverEvent(ctx, "echo", size)
		require.NoError(t, err)
		assert.Equal(t, strconv.Itoa(size), string(reply))
	}
	assert.Equal(t, 2, strings.Count(n.Log("access.log"), "polling HTTP/1.1 413"), "each one is sent once")
}
