package sioserver_test

import (
	"errors"
	"net/http"
	"testing"

	"github.com/seed67206a74/parley/internal/sioserver"
	"github.com/stretchr/testify/assert"
)

func TestHandshake_opensSession(t *testing.T) {
	r := serve(t, fast)
	status, body := r.request("GET", "transport=polling", "")
	assert.Equal(t, http.StatusOK, status)
	h := opened(t, body)
	assert.NotEmpty(t, h.SID)
	assert.Equal(t, handshake{h.SID, []string{"websocket"}, 300, 200, 1_000_000}, h)

	w := r.dial("transport=websocket")
	h = opened(t, w.read())
	assert.NotEmpty(t, h.SID)
	assert.Equal(t, handshake{h.SID, []string{}, 300, 200, 1_000_000}, h)
}

func TestHandshake_rejectsInvalidRequests(t *testing.T) {
	r := serve(t, sioserver.Config{})
	for name, c := range map[string]struct{ method, query, says string }{
		"no EIO":            {"GET", "transport=polling", "Unsupported protocol version"},
		"EIO that is text":  {"GET", "EIO=abc&transport=polling", "Unsupported protocol version"},
		"EIO 3":             {"GET", "EIO=3&transport=polling", "Unsupported protocol version"},
		"no transport":      {"GET", "EIO=4", "Transport unknown"},
		"unknown transport": {"GET", "EIO=4&transport=abc", "Transport unknown"},
		"POST":              {"POST", "EIO=4&transport=polling", "Bad handshake method"},
		"PUT":               {"PUT", "EIO=4&transport=polling", "Bad handshake method"},
		"no upgrade":        {"GET", "EIO=4&transport=websocket", "Bad request"},
		"unknown sid, GET":  {"GET", "EIO=4&transport=polling&sid=abc", "Session ID unknown"},
		"unknown sid, POST": {"POST", "EIO=4&transport=polling&sid=abc", "Session ID unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			response := r.do(c.method, c.query, "", nil)
			assert.Equal(t, http.StatusBadRequest, response.StatusCode)
			assert.Contains(t, read(t, response), c.says)
		})
	}
}

func TestHandshake_rejectsInvalidWebSockets(t *testing.T) {
	r := serve(t, sioserver.Config{})
	for _, query := range []string{
		"transport=websocket", "EIO=abc&transport=websocket", "EIO=4", "EIO=4&transport=abc",
		"EIO=4&transport=polling", "EIO=4&transport=websocket&sid=abc",
	} {
		assert.Equal(t, http.StatusBadRequest, r.rejected(query), query)
	}
}

func TestTransports_limitsSessions(t *testing.T) {
	r := serve(t, sioserver.Config{Transports: []string{sioserver.Polling}})
	_, body := r.request("GET", "transport=polling", "")
	assert.Empty(t, opened(t, body).Upgrades)
	assert.Equal(t, http.StatusBadRequest, r.rejected("EIO=4&transport=websocket"))
}

func TestAllow_rejectsHandshake(t *testing.T) {
	r := serve(t, sioserver.Config{Allow: func(*http.Request) error { return errors.New("members only") }})
	status, body := r.request("GET", "transport=polling", "")
	assert.Equal(t, http.StatusForbidden, status)
	assert.JSONEq(t, `{"code":4,"message":"members only"}`, body)
	assert.Equal(t, http.StatusForbidden, r.rejected("EIO=4&transport=websocket"))
}

func TestCookie_isSetByHandshake(t *testing.T) {
	r := serve(t, sioserver.Config{Cookie: &http.Cookie{Name: "io", Path: "/", HttpOnly: true}})
	response := r.do("GET", "EIO=4&transport=polling", "", nil)
	sid := opened(t, read(t, response)).SID
	cookies := response.Cookies()
	if assert.Len(t, cookies, 1) {
		assert.Equal(t, "io", cookies[0].Name)
		assert.Equal(t, sid, cookies[0].Value)
		assert.True(t, cookies[0].HttpOnly)
	}
	ws, response, err := r.dialer.Dial("ws"+r.url[4:]+"?EIO=4&transport=websocket", nil)
	if assert.NoError(t, err) {
		defer ws.Close()
		assert.Len(t, response.Cookies(), 1)
	}
}

func TestOrigins_allowsBrowsers(t *testing.T) {
	r := serve(t, sioserver.Config{Origins: []string{"http://page.example"}})
	page, other := http.Header{"Origin": {"http://page.example"}}, http.Header{"Origin": {"http://other.example"}}
	response := r.do("GET", "EIO=4&transport=polling", "", page)
	assert.Equal(t, "http://page.example", response.Header.Get("Access-Control-Allow-Origin"))
	assert.Equal(t, "true", response.Header.Get("Access-Control-Allow-Credentials"))
	assert.Empty(t, r.do("GET", "EIO=4&transport=polling", "", other).Header.Get("Access-Control-Allow-Origin"))

	page.Set("Access-Control-Request-Headers", "x-key")
	preflight := r.do("OPTIONS", "EIO=4&transport=polling", "", page)
	assert.Equal(t, http.StatusNoContent, preflight.StatusCode)
	assert.Equal(t, "x-key", preflight.Header.Get("Access-Control-Allow-Headers"))
	assert.Contains(t, preflight.Header.Get("Access-Control-Allow-Methods"), "POST")
}
