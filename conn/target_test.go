package conn_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestNew_sendsQueryAsReferenceClientDoes(t *testing.T) {
	for raw, want := range map[string]url.Values{
		"?token=a;b&x=1":     {"token": {"a;b"}, "x": {"1"}},
		"?token=a+b":         {"token": {"a+b"}},
		"?token=a%20b%2Bc":   {"token": {"a b+c"}},
		"?token=abc==":       {"token": {"abc=="}},
		"?a=1&a=2":           {"a": {"2"}},
		"?flag&empty=&&":     {"flag": {""}, "empty": {""}},
		"?caf%C3%A9=%26%3D":  {"café": {"&="}},
		"?t=1&b64=2":         {"t": {"1"}, "b64": {"2"}},
		"?q=a/b?c:d@e":       {"q": {"a/b?c:d@e"}},
		"?q=1#fragment&r=2":  {"q": {"1"}},
		"/ns;v=1?token=a;b#": {"token": {"a;b"}},
	} {
		t.Run(raw, func(t *testing.T) {
			queries := make(chan url.Values, 1)
			address := wiretest.Serve(t, func(p *wiretest.Peer) { queries <- p.Request.URL.Query(); p.UntilGone() })
			start(t, address+raw, conn.Config{Transports: []string{conn.WebSocket}})
			got := wiretest.ReceiveFrom(t, queries)
			got.Del("EIO")
			got.Del("transport")
			assert.Equal(t, want, got)
		})
	}
}

func TestNew_rejectsInvalidQuery(t *testing.T) {
	for raw, want := range map[string]string{
		"?token=secret%zz": "percent-encoding",
		"?token=secret%":   "percent-encoding",
		"?secret=%ff":      "percent-encoding",
		"?sid=secret":      `"sid" belongs to the protocol`,
		"?j=secret":        `"j" belongs to the protocol`,
	} {
		t.Run(raw, func(t *testing.T) {
			_, err := conn.New("http://localhost"+raw, conn.Config{})
			require.ErrorContains(t, err, want)
			if !strings.HasPrefix(raw, "?secret") {
				assert.NotContains(t, err.Error(), "secret")
			}
		})
	}
	_, err := conn.New("http://localhost?j=1", conn.Config{Transports: []string{conn.WebSocket}})
	assert.NoError(t, err, "only polling uses it")
}

func TestNew_sendsNamespaceAsItStandsInURL(t *testing.T) {
	for path, namespace := range map[string]string{
		"":                   "",
		"/":                  "",
		"?x=/a":              "",
		"/caf%C3%A9":         "/caf%C3%A9,",
		"/café":              "/café,",
		"/a%2Cb":             "/a%2Cb,",
		"/a/b%20c/?x=/other": "/a/b%20c/,",
		"/a#b":               "/a,",
	} {
		t.Run(path, func(t *testing.T) {
			connects := make(chan string, 1)
			address := wiretest.Serve(t, func(p *wiretest.Peer) {
				p.Send(wiretest.OpenPacket)
				connects <- p.Receive()
				p.Send("40" + namespace + `{"sid":"s"}`)
				p.Send("42" + namespace + `["n",1]`)
				p.UntilGone()
			})
			c, err := conn.New(address+path, conn.Config{})
			require.NoError(t, err)
			numbers := conn.On[int](c, "n").Chan(t.Context())
			wiretest.Run(t, c)
			assert.Equal(t, "40"+namespace, wiretest.ReceiveFrom(t, connects))
			assert.Equal(t, 1, wiretest.ReceiveFrom(t, numbers))
		})
	}
}

func TestPath_worksWithAndWithoutSlash(t *testing.T) {
	for name, tc := range map[string]struct{ path, serves, redirects string }{
		"server with a slash":      {"/realtime/ws", "/realtime/ws/", ""},
		"server without a slash":   {"/realtime/ws", "/realtime/ws", ""},
		"server that redirects":    {"/realtime/ws", "/realtime/ws", "/realtime/ws/"},
		"path and server with one": {"/realtime/ws/", "/realtime/ws/", ""},
		"server that takes both":   {"/realtime/ws", "*", ""},
		"root":                     {"/", "/", ""},
	} {
		for _, transport := range []string{conn.WebSocket, conn.Polling} {
			t.Run(name+" by "+transport, func(t *testing.T) {
				paths := make(chan string, 100)
				upgrader := websocket.Upgrader{}
				server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					switch {
					case r.URL.Path == tc.redirects:
						http.Redirect(w, r, tc.serves, http.StatusTemporaryRedirect)
						return
					case tc.serves != "*" && r.URL.Path != tc.serves:
						http.NotFound(w, r)
						return
					}
					paths <- r.URL.Path
					if transport == conn.Polling {
						_, _ = w.Write([]byte(wiretest.OpenPacket + "\x1e40{\"sid\":\"s\"}"))
						return
					}
					ws, err := upgrader.Upgrade(w, r, nil)
					if err != nil {
						return
					}
					defer ws.Close()
					p := &wiretest.Peer{WS: ws, Request: r}
					p.Welcome()
					p.Receive() // and end the session
				}))
				defer server.Close()
				c, _, _ := start(t, server.URL, conn.Config{Path: tc.path, Reconnect: soon, Transports: []string{transport}})
				require.NoError(t, c.Ready(t.Context()))
				want := tc.serves
				if want == "*" {
					want = "/realtime/ws/"
				}
				assert.Equal(t, want, wiretest.ReceiveFrom(t, paths))
			})
		}
	}
}
