package interop

import (
	"context"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// nginxPath is Debian's nginx.
const nginxPath = "/usr/sbin/nginx"

// nginxConfig is the configuration of a proxy. Its arguments are the folder of
// its files, parameters of listen, and the content of its server block.
const nginxConfig = `
daemon off;
worker_processes 1;
user root;
pid %[1]s/pid;
error_log %[1]s/error.log;
events {}
http {
	client_body_temp_path %[1]s/body;
	proxy_temp_path %[1]s/proxy;
	fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi;
	scgi_temp_path %[1]s/scgi;
	log_format test '$arg_transport $server_protocol $status gzip=$gzip_ratio pid=$pid';
	access_log %[1]s/access.log test;
	map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
	proxy_http_version 1.1;
	proxy_read_timeout 60s;
	server {
		listen unix:%[1]s/socket %[2]s;
		%[3]s
	}
}`

// upgradeHeaders forwards an upgrade to websocket.
const upgradeHeaders = `
proxy_set_header Upgrade $http_upgrade;
proxy_set_header Connection $connection_upgrade;`

// An nginx is a proxy in a process of its own. It listens on a unix socket.
type nginx struct {
	t       *testing.T
	dir     string
	process *exec.Cmd
}

// startNginx starts a proxy with the content of a server block, until the test
// ends.
func startNginx(t *testing.T, listen, content string) *nginx {
	t.Helper()
	_, err := os.Stat(nginxPath)
	need(t, "nginx", err)
	dir, err := os.MkdirTemp("", "nginx") // the path of a socket must be short
	require.NoError(t, err)
	n := &nginx{t: t, dir: dir}
	file := filepath.Join(dir, "nginx.conf")
	require.NoError(t, os.WriteFile(file, fmt.Appendf(nil, nginxConfig, dir, listen, content), 0o600))
	n.process = exec.Command(nginxPath, "-c", file, "-e", filepath.Join(dir, "error.log"))
	var output strings.Builder
	n.process.Stderr = &output
	require.NoError(t, n.process.Start())
	t.Cleanup(func() {
		_ = n.process.Process.Signal(syscall.SIGTERM)
		_ = n.process.Wait()
		if t.Failed() {
			t.Log(output.String(), n.log("error.log"))
		}
		_ = os.RemoveAll(dir)
	})
	require.Eventually(t, func() bool {
		c, err := n.dial(t.Context(), "", "")
		if err == nil {
			c.Close()
		}
		return err == nil
	}, time.Minute, 10*time.Millisecond)
	return n
}

func (n *nginx) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(n.dir, "socket"))
}

// transport returns a RoundTripper to the proxy.
func (n *nginx) transport(roots *x509.CertPool) *http.Transport {
	transport := trust(n.t, roots)
	transport.DialContext = n.dial
	return transport
}

// log returns a log of the proxy.
func (n *nginx) log(name string) string {
	content, err := os.ReadFile(filepath.Join(n.dir, name))
	require.NoError(n.t, err)
	return string(content)
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
	n := startNginx(t, "", `
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
				Transports: way, Path: "/realtime/socket.io", HTTP: n.transport(nil),
			}})
			requireAnswer(t, client, 300)
			assert.EqualValues(t, 1, client.Stats().Conn.Sessions)
			if name != conn.Polling {
				awaitUpgrade(t, client)
			}
		})
	}
	assert.Regexp(t, `polling HTTP/1.1 200 gzip=\d`, n.log("access.log"))
}

func TestNginx_withTLSAndHTTP2(t *testing.T) {
	t.Parallel()
	backend := startBackend(t)
	cert, key := wiretest.Certificate(t)
	n := startNginx(t, "ssl http2", `
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
				Transports: way, HTTP: n.transport(roots),
			}})
			requireAnswer(t, client, 300)
			assert.EqualValues(t, 1, client.Stats().Conn.Sessions)
			if name != conn.Polling {
				awaitUpgrade(t, client)
			}
		})
	}
	assert.Contains(t, n.log("access.log"), "polling HTTP/2.0 200")
	assert.NotContains(t, n.log("access.log"), "polling HTTP/1.1")
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
			n := startNginx(t, "", "location / { "+tc.content+" proxy_pass "+backend.URL()+"; }")
			for _, way := range [][]string{{conn.Polling, conn.WebSocket}, {conn.WebSocket, conn.Polling}} {
				client, _ := startClient(t, "http://127.0.0.1", chat.Config{Conn: conn.Config{
					Transports: way, HTTP: n.transport(nil),
				}})
				requireAnswer(t, client, 300)
				assert.Equal(t, conn.Polling, used(t, client), way)
				assert.EqualValues(t, 1, client.Stats().Conn.Attempts, way)
			}
			assert.Regexp(t, `websocket HTTP/1.1 40[03]`, n.log("access.log"))

			client, err := conn.New("http://127.0.0.1", conn.Config{
				Transports: []string{conn.WebSocket}, HTTP: n.transport(nil), Reconnect: soon,
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
			n := startNginx(t, "", `location / { proxy_pass `+backend.URL()+`;`+upgradeHeaders+` }`)
			var client *chat.Client
			client, _ = startClient(t, "http://127.0.0.1", chat.Config{
				Stream: chat.StreamConfig{OnGap: chat.FailOnGap, Resume: resumeFrom(&client)},
				Conn:   conn.Config{Transports: way, HTTP: n.transport(nil)},
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
					require.NoError(t, n.process.Process.Signal(syscall.SIGHUP))
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
				for line := range strings.Lines(n.log("access.log")) {
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
	n := startNginx(t, "", `location / { client_max_body_size 1k; proxy_pass `+backend.URL()+`; }`)
	client, _ := startClient(t, "http://127.0.0.1", chat.Config{Conn: conn.Config{
		Transports: []string{conn.Polling}, HTTP: n.transport(nil),
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
	assert.Equal(t, 2, strings.Count(n.log("access.log"), "polling HTTP/1.1 413"), "each one is sent once")
}
