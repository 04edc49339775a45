package engineio

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// serveUpgrade is servePolls with an upgrade. play serves the websocket.
func serveUpgrade(t *testing.T, play func(ws *websocket.Conn)) *pollServer {
	server := servePolls(t, strings.Replace(openPacket, `"upgrades":[]`, `"upgrades":["websocket"]`, 1))
	inner := server.Config.Handler
	server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("transport") != WebSocket {
			inner.ServeHTTP(w, r)
			return
		}
		assert.Equal(t, "s1", r.URL.Query().Get("sid"))
		ws, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer ws.Close()
		play(ws)
	})
	return server
}

func TestUpgrade_keepsAllMessagesInOrder(t *testing.T) {
	// The polls before the upgrade must fit into upgradeTimeout, also on a busy
	// machine.
	const half = 100
	posted := make(chan struct{})
	var server *pollServer
	server = serveUpgrade(t, func(ws *websocket.Conn) {
		expect(t, ws, "2probe")
		for n := range half { // sent by polling before the upgrade
			server.bodies <- fmt.Sprintf("4%d", n)
		}
		send(ws, "3probe")
		switched := make(chan struct{})
		go func() { // ends pending GETs with a noop, as a server does
			for {
				select {
				case server.bodies <- "6":
				case <-switched:
					return
				}
			}
		}()
		expect(t, ws, "5")
		close(switched)
		close(posted)
		for n := range half {
			send(ws, fmt.Sprintf("4%d", half+n))
		}
		for {
			_, data, err := ws.ReadMessage()
			if err != nil {
				return
			}
			server.posts <- "ws:" + string(data)
		}
	})
	server.bodies, server.posts = make(chan string), make(chan string, 2*half)
	s := dialTest(t, optionsFor(t, server.URL, Polling, WebSocket))
	written := make(chan error, 1)
	go func() {
		for n := range half {
			if err := s.Write(Message{Data: []byte(fmt.Sprint(n))}); err != nil {
				written <- err
				return
			}
		}
		<-posted
		written <- s.Write(Message{Data: []byte(fmt.Sprint(half))})
	}()
	for n := range 2 * half {
		require.Equal(t, fmt.Sprint(n), readText(t, s))
	}
	require.NoError(t, <-written)
	overWebSocket := false
	for n := range half + 1 {
		got, ws := strings.CutPrefix(<-server.posts, "ws:")
		require.Equal(t, fmt.Sprintf("4%d", n), got)
		require.True(t, ws || !overWebSocket, "never back to polling")
		overWebSocket = ws
	}
	assert.True(t, overWebSocket)
}

func TestUpgrade_staysOnPollingAfterFailure(t *testing.T) {
	for name, play := range map[string]func(ws *websocket.Conn){
		"cut off":      func(ws *websocket.Conn) {},
		"wrong reply":  func(ws *websocket.Conn) { send(ws, "3other"); _, _, _ = ws.ReadMessage(); _, _, _ = ws.ReadMessage() },
		"unknown type": func(ws *websocket.Conn) { send(ws, "x"); _, _, _ = ws.ReadMessage(); _, _, _ = ws.ReadMessage() },
	} {
		t.Run(name, func(t *testing.T) {
			tried := make(chan struct{})
			server := serveUpgrade(t, func(ws *websocket.Conn) { defer close(tried); play(ws) })
			s := dialTest(t, optionsFor(t, server.URL, Polling, WebSocket))
			<-tried
			for range 3 {
				server.bodies <- "4still here"
				assert.Equal(t, "still here", readText(t, s))
			}
			assert.IsType(t, &polling{}, s.reading)
		})
	}
}

// The server never replies to the probe.
func TestCloseNow_endsUpgradeProbe(t *testing.T) {
	probing := make(chan struct{})
	server := serveUpgrade(t, func(ws *websocket.Conn) {
		close(probing)
		for {
			if _, _, err := ws.ReadMessage(); err != nil {
				return
			}
		}
	})
	s := dialTest(t, optionsFor(t, server.URL, Polling, WebSocket))
	<-probing
	require.NoError(t, s.CloseNow())
}

func TestUpgrade_isNotAttemptedUnlessOffered(t *testing.T) {
	asked := make(chan string, 10)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.URL.Query().Get("transport")
		serveBoth(w, r)
	}))
	defer server.Close()
	s := dialTest(t, optionsFor(t, server.URL, Polling, WebSocket))
	for range 3 {
		assert.Equal(t, "hello", readText(t, s))
	}
	require.NoError(t, s.CloseNow())
	for range len(asked) {
		assert.Equal(t, Polling, <-asked)
	}
}
