package engineio

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The session sends pongs for longer than the server's timeout, without a Read.
// The next Read returns the messages sent meanwhile.
func TestSession_sendsPongWhileReaderIsBusy(t *testing.T) {
	const pongs = 4
	const open = `0{"sid":"s1","upgrades":[],"pingInterval":200,"pingTimeout":200}`
	t.Run(WebSocket, func(t *testing.T) {
		t.Parallel()
		ponged := make(chan struct{})
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ws, err := upgrader.Upgrade(w, r, nil)
			if err != nil {
				return
			}
			defer ws.Close()
			send(ws, open)
			send(ws, "4first")
			send(ws, "2")
			for range pongs {
				expect(t, ws, "3")
			}
			send(ws, "4last")
			close(ponged)
			_, _, _ = ws.ReadMessage()
		}))
		t.Cleanup(server.Close)
		s := dialTest(t, optionsFor(t, server.URL, WebSocket))
		require.Equal(t, "first", readText(t, s))
		<-ponged // the ping is still unread
		assert.Equal(t, "last", readText(t, s))
	})
	t.Run(Polling, func(t *testing.T) {
		t.Parallel()
		server := servePolls(t, open+"\x1e4first\x1e2")
		s := dialTest(t, optionsFor(t, server.URL, Polling))
		require.Equal(t, "first", readText(t, s))
		for range pongs {
			assert.Equal(t, "3", <-server.posts)
		}
		server.bodies <- "4last"
		assert.Equal(t, "last", readText(t, s))
	})
}
