package interop

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/internal/nodetest"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// proxyTo returns a reverse proxy to the server at address. It responds with
// status 502 if the server cannot be reached.
func proxyTo(t *testing.T, address string) *httputil.ReverseProxy {
	t.Helper()
	to, err := url.Parse(address)
	require.NoError(t, err)
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &httputil.ReverseProxy{
		Rewrite:      func(r *httputil.ProxyRequest) { r.SetURL(to) },
		Transport:    transport,
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
}

// serve serves handler until the test ends, and returns its URL.
func serve(t *testing.T, handler http.Handler) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return server.URL
}

// requireAnswer asks a question of n tokens, and requires the whole answer.
func requireAnswer(t *testing.T, client *chat.Client, n int) {
	t.Helper()
	stream, err := client.Ask(wiretest.Context(t), chat.Question{UserID: user, Text: fmt.Sprintf("/tokens %d 1", n)})
	require.NoError(t, err)
	message, err := stream.Wait()
	require.NoError(t, err)
	assert.Equal(t, counted(n), message.Text)
}

// A proxy rewrites the path. It responds with status 426 once and with 502
// three times, and then forwards. The client connects, and each cause is in a
// state.
func TestProxy_connectsAfterErrorsOfProxy(t *testing.T) {
	t.Parallel()
	backend := nodetest.Start(t, "wire.js")
	for name, way := range transports {
		t.Run(name, func(t *testing.T) {
			statuses := make(chan int, 4)
			for _, status := range []int{http.StatusUpgradeRequired, 502, 502, 502} {
				statuses <- status
			}
			forward := http.StripPrefix("/realtime/v1", proxyTo(t, backend.URL()))
			address := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				select {
				case status := <-statuses:
					http.Error(w, http.StatusText(status), status)
				default:
					forward.ServeHTTP(w, r)
				}
			}))
			c, err := conn.New(address, conn.Config{Path: "/realtime/v1/socket.io", Transports: way, Reconnect: soon})
			require.NoError(t, err)
			states := c.States.Chan(t.Context())
			wiretest.Run(t, c)
			var causes []string
			for state := range states {
				if state.Phase == conn.Ready {
					break
				}
				if state.Phase == conn.Waiting {
					var dial *conn.DialError
					require.ErrorAs(t, state.Err, &dial)
					causes = append(causes, state.Err.Error())
				}
			}
			all := strings.Join(causes, "\n")
			assert.Equal(t, 1, strings.Count(all, "unexpected HTTP status 426: Upgrade Required"), all)
			assert.Equal(t, 3, strings.Count(all, "unexpected HTTP status 502: Bad Gateway"), all)
			assert.True(t, strings.Contains(causes[0], "426"), "the first cause is reported first")
			got, err := conn.Call[seen](wiretest.Context(t), c, "seen")
			require.NoError(t, err)
			assert.Equal(t, "/socket.io/", got.Path)
		})
	}
}

// The default transports try websocket and polling in each attempt.
func TestProxy_namesCausesOfBothTransports(t *testing.T) {
	t.Parallel()
	address := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status := http.StatusBadGateway
		if r.URL.Query().Get("transport") == conn.WebSocket {
			status = http.StatusUpgradeRequired
		}
		http.Error(w, http.StatusText(status), status)
	}))
	c, err := conn.New(address, conn.Config{})
	require.NoError(t, err)
	states := c.States.Chan(t.Context())
	wiretest.Run(t, c)
	cause := wiretest.ReceivePhase(t, states, conn.Waiting).Err
	assert.EqualError(t, cause, "conn: cannot connect: unexpected HTTP status 502: Bad Gateway "+
		"(earlier: websocket: unexpected HTTP status 426: Upgrade Required)")

	// A call that waits reports the cause as well.
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	require.Eventually(t, func() bool {
		var failed *conn.SendError
		require.ErrorAs(t, c.Emit(ended, "e"), &failed)
		return strings.Contains(failed.State, "502")
	}, time.Minute, time.Millisecond)
}
