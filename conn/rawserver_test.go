package conn_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"
)

// peer is the server's end of one websocket, written frame by frame.
type peer struct {
	t       *testing.T
	ws      *websocket.Conn
	request *http.Request
}

// openPacket is a handshake with an unhurried heartbeat.
const openPacket = `0{"sid":"engine-1","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}`

// serveRaw starts a websocket server that lets play have each connection, one
// goroutine each, and returns its URL. The connection is cut when play returns.
func serveRaw(t *testing.T, play func(p *peer)) string {
	t.Helper()
	upgrader := websocket.Upgrader{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer ws.Close()
		play(&peer{t, ws, r})
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// send writes one text frame. That the client may have gone is not this end's
// concern.
func (p *peer) send(frame string) {
	_ = p.ws.WriteMessage(websocket.TextMessage, []byte(frame))
}

// receive reads one text frame; "" when the client has gone.
func (p *peer) receive() string {
	kind, data, err := p.ws.ReadMessage()
	if err != nil || kind != websocket.TextMessage {
		return ""
	}
	return string(data)
}

// welcome goes through the handshake, and returns the client's CONNECT.
func (p *peer) welcome() string {
	p.send(openPacket)
	connect := p.receive()
	namespace := ""
	if rest, ok := strings.CutPrefix(connect, "40/"); ok {
		name, _, _ := strings.Cut(rest, ",")
		namespace = "/" + name + ","
	}
	p.send("40" + namespace + `{"sid":"socket-1"}`)
	return connect
}

// untilGone reads until the client has gone, and returns what it said.
func (p *peer) untilGone() []string {
	var frames []string
	for {
		frame := p.receive()
		if frame == "" {
			return frames
		}
		frames = append(frames, frame)
	}
}

// receiveFrom takes the next value off a channel of a test. The limit is only there
// so that a broken test says where it hangs.
func receiveFrom[T any](t *testing.T, ch <-chan T) T {
	t.Helper()
	select {
	case v, ok := <-ch:
		require.True(t, ok, "channel closed")
		return v
	case <-time.After(20 * time.Second):
		require.FailNow(t, "nothing came")
		panic("unreachable")
	}
}
