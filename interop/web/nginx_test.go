package web

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seed67206a74/parley/chat/chathttp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// nginxConfig has the defaults of nginx for a proxy. Its arguments are the
// folder of its files, directives, and the address of the site.
const nginxConfig = `
daemon off;
worker_processes 1;
user root;
pid %[1]s/pid;
error_log %[1]s/error.log;
events {}
http {
	access_log off;
	client_body_temp_path %[1]s/body;
	proxy_temp_path %[1]s/proxy;
	fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi;
	scgi_temp_path %[1]s/scgi;
	server {
		listen unix:%[1]s/socket;
		%[2]s
		location / { proxy_pass %[3]s; }
	}
}`

// behindNginx starts an nginx in front of a site until the test ends, and
// returns a browser that uses it.
func behindNginx(t *testing.T, s *site, directives string) *http.Client {
	t.Helper()
	const nginx = "/usr/sbin/nginx"
	if _, err := os.Stat(nginx); err != nil {
		if os.Getenv("PARLEY_INTEROP") == "required" {
			require.NoError(t, err, "make nginx")
		}
		t.Skipf("NOT TESTED WITH NGINX: %v (make nginx)", err)
	}
	dir, err := os.MkdirTemp("", "nginx") // the path of a socket must be short
	require.NoError(t, err)
	file := filepath.Join(dir, "nginx.conf")
	require.NoError(t, os.WriteFile(file, fmt.Appendf(nil, nginxConfig, dir, directives, s.URL), 0o600))
	process := exec.Command(nginx, "-c", file, "-e", filepath.Join(dir, "error.log"))
	var output strings.Builder
	process.Stderr = &output
	require.NoError(t, process.Start())
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(dir, "socket"))
	}
	browser := &http.Client{Transport: &http.Transport{DialContext: dial}}
	t.Cleanup(func() {
		browser.CloseIdleConnections()
		_ = process.Process.Signal(syscall.SIGTERM)
		_ = process.Wait()
		if t.Failed() {
			log, _ := os.ReadFile(filepath.Join(dir, "error.log"))
			t.Logf("nginx: %s%s", output.String(), log)
		}
		_ = os.RemoveAll(dir)
	})
	require.Eventually(t, func() bool {
		conn, err := dial(t.Context(), "", "")
		return err == nil && conn.Close() == nil
	}, time.Minute, 10*time.Millisecond)
	return browser
}

// protocols has the request of a question in each protocol, and the text with
// which a whole answer ends.
var protocols = map[string]struct{ method, path, body, end string }{
	"AI SDK": {"POST", "/api/chat", `{"id":"%[1]s","messages":[{"role":"user","parts":[{"type":"text","text":"%[2]s"}]}]}`, "data: [DONE]"},
	"SSE":    {"GET", "/api/sse?chatId=%[1]s&text=%[2]s", "", `"messageId":"m1"`},
	"NDJSON": {"POST", "/api/ndjson", `{"chatId":"%[1]s","text":"%[2]s"}`, `"type":"end"`},
	"OpenAI": {"POST", "/v1/chat/completions", `{"stream":true,"messages":[{"role":"user","content":"%[2]s"}]}`, "data: [DONE]"},
	"AG-UI":  {"POST", "/api/agui", `{"threadId":"%[1]s","runId":"r","messages":[{"id":"m","role":"user","content":"%[2]s"}]}`, "RUN_FINISHED"},
}

// askOver asks a question in a protocol.
func askOver(t *testing.T, browser *http.Client, protocol, question string) *http.Response {
	t.Helper()
	p := protocols[protocol]
	fill := func(format string) string {
		if format == "" {
			return ""
		}
		return strings.NewReplacer("%[1]s", strings.ReplaceAll(protocol, " ", "-"), "%[2]s", question).Replace(format)
	}
	request, err := http.NewRequestWithContext(t.Context(), p.method, "http://site.invalid"+fill(p.path), strings.NewReader(fill(p.body)))
	require.NoError(t, err)
	request.Header.Set("Content-Type", "application/json")
	response, err := browser.Do(request)
	require.NoError(t, err)
	require.Equal(t, 200, response.StatusCode)
	t.Cleanup(func() { _ = response.Body.Close() })
	return response
}

func TestNginx_passesTokensAtOnce(t *testing.T) {
	s := newSite(t, chathttp.Config{}, nil)
	browser := behindNginx(t, s, "")
	for protocol, p := range protocols {
		t.Run(protocol, func(t *testing.T) {
			response := askOver(t, browser, protocol, "wait") // one token, and no end
			assert.Empty(t, response.Header.Get("Content-Length"))
			lines := bufio.NewReader(response.Body)
			for line := ""; !strings.Contains(line, "first "); {
				var err error
				line, err = lines.ReadString('\n')
				require.NoError(t, err)
			}
			require.NoError(t, response.Body.Close())
			s.backend.Expect(t, "ai:abort", nil)

			whole, err := io.ReadAll(askOver(t, browser, protocol, "whole").Body)
			require.NoError(t, err)
			assert.Contains(t, string(whole), "It is ")
			all := strings.Split(strings.TrimSpace(string(whole)), "\n")
			assert.Contains(t, all[len(all)-1], p.end)
		})
	}
}

// Comments in silence keep a response alive. The time of nginx is 5 s here, and
// 60 s by default; that of KeepAlive is 15 s by default.
func TestNginx_keepsResponseOpenInSilence(t *testing.T) {
	s := newSite(t, chathttp.Config{KeepAlive: 100 * time.Millisecond}, nil)
	browser := behindNginx(t, s, "proxy_read_timeout 5s;")
	response := askOver(t, browser, "AI SDK", "wait")
	lines := bufio.NewReader(response.Body)
	for comments := 0; comments < 60; {
		line, err := lines.ReadString('\n')
		require.NoError(t, err, "after %d comments", comments)
		if line == ":\n" {
			comments++
		}
	}
}
