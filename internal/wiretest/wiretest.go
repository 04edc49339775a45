// Package wiretest has the helpers that tests of several packages share: Serve, a
// websocket server whose every frame the test writes itself, and functions that
// run a client and wait for values.
//
//	url := wiretest.Serve(t, func(p *wiretest.Peer) {
//		p.Welcome()                  // open packet, CONNECT
//		p.Send(`42["hello",1]`)
//		p.UntilGone()
//	})
package wiretest

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
)

// A Peer is the server's end of one websocket, written frame by frame.
type Peer struct {
	WS      *websocket.Conn
	Request *http.Request
}

// OpenPacket is a handshake with an unhurried heartbeat.
const OpenPacket = `0{"sid":"engine-1","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}`

// Serve starts a websocket server that lets play have each connection, one
// goroutine each, and returns its URL. The connection is cut when play returns.
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

// Send writes one text frame. It ignores the error when the client has gone.
func (p *Peer) Send(frame string) {
	_ = p.WS.WriteMessage(websocket.TextMessage, []byte(frame))
}

// Receive reads one text frame; "" when the client has gone.
func (p *Peer) Receive() string {
	kind, data, err := p.WS.ReadMessage()
	if err != nil || kind != websocket.TextMessage {
		return ""
	}
	return string(data)
}

// Welcome sends the open packet and the reply to CONNECT, and returns the
// client's CONNECT.
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

// ReceiveBinary reads one binary frame; nil when something else comes, or the
// client has gone.
func (p *Peer) ReceiveBinary() []byte {
	kind, data, err := p.WS.ReadMessage()
	if err != nil || kind != websocket.BinaryMessage {
		return nil
	}
	return data
}

// UntilGone reads until the client has gone, and returns the frames.
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
