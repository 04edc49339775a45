package web

import (
	"bufio"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/seed67206a74/parley/chat/chathttp"
	"github.com/seed67206a74/parley/internal/nginxtest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// behindNginx starts an nginx with the defaults of a proxy in front of a site,
// until the test ends. It returns a browser that uses the proxy.
func behindNginx(t *testing.T, s *site, directives string) *http.Client {
	t.Helper()
	n := nginxtest.Start(t, "", "", directives+" location / { proxy_pass "+s.URL+"; }")
	browser := &http.Client{Transport: &http.Transport{DialContext: n.Dial}}
	t.Cleanup(browser.CloseIdleConnections)
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

// With nginx's defaults, a response begins before its answer does.
func TestNginx_passesFirstByteBeforeAnyEvent(t *testing.T) {
	s := newSite(t, chathttp.Config{}, nil)
	browser := behindNginx(t, s, "")
	for protocol := range protocols {
		t.Run(protocol, func(t *testing.T) {
			response := askOver(t, browser, protocol, "silent")
			first := make([]byte, 1)
			_, err := io.ReadFull(response.Body, first)
			require.NoError(t, err)
			// A question that is not sent yet has no abort.
			s.backend.Expect(t, "user:message", nil)
			require.NoError(t, response.Body.Close())
			s.backend.Expect(t, "ai:abort", nil)
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
