package engineio

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const openPacket = `0{"sid":"s1","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000}`

func optionsFor(t *testing.T, rawURL string, transports ...string) Options {
	t.Helper()
	u, err := url.Parse(rawURL)
	require.NoError(t, err)
	u.Path, u.RawQuery = "/socket.io/", "tenant=acme"
	return Options{
		URL: u, Transports: transports, MaxFrame: 1 << 20, WriteTimeout: 10 * time.Second,
		Header: http.Header{"X-Key": {"k"}},
	}
}

// dialTest opens a session that the test closes.
func dialTest(t *testing.T, o Options) *Session {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s, err := Dial(ctx, o)
	require.NoError(t, err)
	t.Cleanup(func() { s.CloseNow() })
	return s
}

func readText(t *testing.T, s *Session) string {
	t.Helper()
	m, err := s.Read()
	require.NoError(t, err)
	return string(m.Data)
}

// A pollServer is the server's end of one polling session. The test sets the
// body of each response.
type pollServer struct {
	*httptest.Server
	bodies chan string   // the response bodies, one for each GET
	posts  chan string   // the bodies of the POSTs
	gone   chan struct{} // closed when the test ends
	check  func(r *http.Request)
}

// servePolls responds to the first GET with open, and to each further GET with
// the next value of bodies.
func servePolls(t *testing.T, open string) *pollServer {
	s := &pollServer{bodies: make(chan string, 100), posts: make(chan string, 100), gone: make(chan struct{})}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.check != nil {
			s.check(r)
		}
		switch {
		case r.Method == http.MethodPost:
			body, _ := io.ReadAll(r.Body)
			s.posts <- string(body)
			_, _ = io.WriteString(w, "ok")
		case r.URL.Query().Get("sid") == "":
			_, _ = io.WriteString(w, open)
		default:
			select {
			case body := <-s.bodies:
				_, _ = io.WriteString(w, body)
			case <-r.Context().Done():
			case <-s.gone:
			}
		}
	}))
	t.Cleanup(func() { close(s.gone); s.Close() })
	return s
}

// serveBoth serves both transports. Over websocket it sends "4hello" and then
// echoes; over polling each GET after the first returns "4hello".
func serveBoth(w http.ResponseWriter, r *http.Request) {
	if r.URL.Query().Get("transport") == WebSocket {
		serveEcho(w, r)
		return
	}
	switch {
	case r.Method == http.MethodPost:
		_, _ = io.Copy(io.Discard, r.Body)
	case r.URL.Query().Get("sid") == "":
		_, _ = io.WriteString(w, openPacket)
	default:
		_, _ = io.WriteString(w, "4hello")
	}
}

var upgrader = websocket.Upgrader{EnableCompression: true, CheckOrigin: func(*http.Request) bool { return true }}

func serveEcho(w http.ResponseWriter, r *http.Request) {
	ws, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer ws.Close()
	_ = ws.WriteMessage(websocket.TextMessage, []byte(openPacket))
	_ = ws.WriteMessage(websocket.TextMessage, []byte("4hello"))
	for {
		kind, data, err := ws.ReadMessage()
		if err != nil || ws.WriteMessage(kind, data) != nil {
			return
		}
	}
}

// expect reads a frame and compares it with want.
func expect(t *testing.T, ws *websocket.Conn, want string) {
	_, data, err := ws.ReadMessage()
	assert.NoError(t, err)
	assert.Equal(t, want, string(data))
}

func send(ws *websocket.Conn, text string) { _ = ws.WriteMessage(websocket.TextMessage, []byte(text)) }
