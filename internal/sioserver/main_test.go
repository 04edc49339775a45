package sioserver_test

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
	"github.com/seed67206a74/parley/internal/sioserver"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A rig is a server and raw access to it.
type rig struct {
	*testing.T
	server *sioserver.Server
	url    string // of Engine.IO, without a query
	client *http.Client
	dialer websocket.Dialer
}

// serve serves on a port until the test ends, with the handlers of the
// protocols' test suites in the namespaces "/" and "/custom".
func serve(t *testing.T, cfg sioserver.Config) *rig {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	r := newRig(t, cfg, listener, (&net.Dialer{}).DialContext)
	r.url = "http://" + listener.Addr().String() + "/socket.io/"
	return r
}

// inBubble runs a test with a server in memory, on a fake clock.
func inBubble(t *testing.T, cfg sioserver.Config, test func(r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		memory := sioserver.NewMemory()
		r := newRig(t, cfg, memory, memory.DialContext)
		r.url = "http://memory.invalid/socket.io/"
		test(r)
	})
}

func newRig(t *testing.T, cfg sioserver.Config, listener net.Listener, dial func(context.Context, string, string) (net.Conn, error)) *rig {
	server := sioserver.New(cfg)
	server.Namespace("/", suite)
	server.Namespace("/custom", suite)
	httpServer := &http.Server{Handler: server}
	served := make(chan struct{})
	go func() { // ends with httpServer.Close
		defer close(served)
		_ = httpServer.Serve(listener)
	}()
	transport := &http.Transport{DialContext: dial}
	t.Cleanup(func() {
		_ = httpServer.Close()
		server.Close()
		<-served
		transport.CloseIdleConnections()
	})
	return &rig{
		T:      t,
		server: server,
		client: &http.Client{Transport: transport},
		dialer: websocket.Dialer{NetDialContext: dial},
	}
}

// suite handles events as the servers of the protocols' test suites do.
var suite = sioserver.Handlers{
	Connect: func(s *sioserver.Socket) {
		auth := json.RawMessage("{}")
		if s.Auth != nil {
			auth = s.Auth
		}
		_ = s.Emit("auth", auth)
	},
	Event: func(e *sioserver.Event) {
		args := make([]any, len(e.Args))
		for i := range args {
			_ = e.Decode(i, &args[i])
		}
		switch e.Name {
		case "message":
			_ = e.Socket.Emit("message-back", args...)
		case "message-with-ack":
			_ = e.Ack(args...)
		}
	},
}

// request sends a request and returns the status and body of its response. The
// query follows EIO=4.
func (r *rig) request(method, query, body string) (int, string) {
	r.Helper()
	response := r.do(method, "EIO=4&"+query, body, nil)
	return response.StatusCode, read(r, response)
}

func (r *rig) do(method, query, body string, header http.Header) *http.Response {
	r.Helper()
	request, err := http.NewRequestWithContext(r.Context(), method, r.url+"?"+query, strings.NewReader(body))
	require.NoError(r, err)
	for name, values := range header {
		request.Header[name] = values
	}
	response, err := r.client.Do(request)
	require.NoError(r, err)
	r.Cleanup(func() { response.Body.Close() })
	return response
}

func read(t require.TestingT, response *http.Response) string {
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return string(body)
}

type handshake struct {
	SID          string
	Upgrades     []string
	PingInterval int
	PingTimeout  int
	MaxPayload   int
}

// poll opens a long-polling session and returns the query of its requests.
func (r *rig) poll() string {
	r.Helper()
	status, body := r.request("GET", "transport=polling", "")
	require.Equal(r, http.StatusOK, status)
	return "transport=polling&sid=" + opened(r, body).SID
}

// opened decodes an open packet.
func opened(t require.TestingT, packet string) handshake {
	require.True(t, strings.HasPrefix(packet, "0"), packet)
	var h handshake
	require.NoError(t, json.Unmarshal([]byte(packet[1:]), &h))
	return h
}

// A wire is a websocket whose frames the test writes itself.
type wire struct {
	*websocket.Conn
	r *rig
}

// dial opens a websocket. The query follows EIO=4.
func (r *rig) dial(query string) wire {
	r.Helper()
	ws, _, err := r.dialer.DialContext(r.Context(), "ws"+strings.TrimPrefix(r.url, "http")+"?EIO=4&"+query, nil)
	require.NoError(r, err)
	r.Cleanup(func() { ws.Close() })
	return wire{ws, r}
}

// open opens a session over websocket.
func (r *rig) open() wire {
	r.Helper()
	w := r.dial("transport=websocket")
	opened(r, w.read())
	return w
}

// connect opens a session over websocket and connects to the main namespace.
func (r *rig) connect() wire {
	r.Helper()
	w := r.open()
	w.write("40")
	assert.Regexp(r, `^40\{"sid":"[^"]+"\}$`, w.read())
	assert.Equal(r, `42["auth",{}]`, w.read())
	return w
}

func (w wire) write(frames ...string) {
	w.r.Helper()
	for _, frame := range frames {
		require.NoError(w.r, w.WriteMessage(websocket.TextMessage, []byte(frame)))
	}
}

func (w wire) read() string {
	w.r.Helper()
	_, frame, err := w.ReadMessage()
	require.NoError(w.r, err)
	return string(frame)
}

// closed checks that the server has closed the connection without another
// frame.
func (w wire) closed() {
	w.r.Helper()
	_, frame, err := w.ReadMessage()
	assert.Error(w.r, err, "frame %q", frame)
}

// rejected checks that a websocket cannot be opened, and returns the status.
func (r *rig) rejected(query string) int {
	r.Helper()
	_, response, err := r.dialer.DialContext(r.Context(), "ws"+strings.TrimPrefix(r.url, "http")+"?"+query, nil)
	require.Error(r, err)
	require.NotNil(r, response, err)
	return response.StatusCode
}

// fast has the heartbeat of the protocols' test suites.
var fast = sioserver.Config{PingInterval: 300 * time.Millisecond, PingTimeout: 200 * time.Millisecond}
