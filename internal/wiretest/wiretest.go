// Package wiretest has helpers for the tests of several packages. Serve starts
// a websocket server, and the test itself writes each frame. Run and its
// relatives run a client and wait for values.
//
//	url := wiretest.Serve(t, func(p *wiretest.Peer) {
//		p.Welcome()                  // open packet, CONNECT
//		p.Send(`42["hello",1]`)
//		p.UntilGone()
//	})
package wiretest

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"
)

// A Peer is the server's end of one websocket.
type Peer struct {
	WS      *websocket.Conn
	Request *http.Request
}

// OpenPacket is an open packet with the default heartbeat of Socket.IO, and a
// limit of 100 MB for each message.
const OpenPacket = `0{"sid":"engine-1","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":100000000}`

// Serve starts a websocket server and returns its URL. It calls play for each
// connection, in a goroutine of its own, and closes the connection when play
// returns.
func Serve(t testing.TB, play func(p *Peer)) string {
	t.Helper()
	upgrader := websocket.Upgrader{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer ws.Close()
		play(&Peer{ws, r})
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// Send writes one text frame. It ignores errors: the client may have gone.
func (p *Peer) Send(frame string) {
	_ = p.WS.WriteMessage(websocket.TextMessage, []byte(frame))
}

// Receive returns the next text frame. It returns "" for a binary frame, and if
// the client has gone.
func (p *Peer) Receive() string {
	kind, data, err := p.WS.ReadMessage()
	if err != nil || kind != websocket.TextMessage {
		return ""
	}
	return string(data)
}

// Welcome sends the open packet, reads the client's CONNECT and replies to it.
// It returns the CONNECT.
func (p *Peer) Welcome() string {
	p.Send(OpenPacket)
	connect := p.Receive()
	namespace := ""
	if rest, ok := strings.CutPrefix(connect, "40/"); ok {
		name, _, _ := strings.Cut(rest, ",")
		namespace = "/" + name + ","
	}
	p.Send("40" + namespace + `{"sid":"socket-1"}`)
	return connect
}

// SendBinary writes one binary frame.
func (p *Peer) SendBinary(data []byte) {
	_ = p.WS.WriteMessage(websocket.BinaryMessage, data)
}

// ReceiveBinary returns the next binary frame. It returns nil for a text frame,
// and if the client has gone.
func (p *Peer) ReceiveBinary() []byte {
	kind, data, err := p.WS.ReadMessage()
	if err != nil || kind != websocket.BinaryMessage {
		return nil
	}
	return data
}

// UntilGone reads text frames until the client has gone, and returns them.
func (p *Peer) UntilGone() []string {
	var frames []string
	for {
		frame := p.Receive()
		if frame == "" {
			return frames
		}
		frames = append(frames, frame)
	}
}

// RefusingAddr returns an address that refuses connections until the test ends.
// Its port is in use, by a client's end of a connection, so no other process
// gets it.
func RefusingAddr(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	client, err := net.Dial("tcp", listener.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() {
		client.Close()
		listener.Close()
	})
	return client.LocalAddr().String()
}
