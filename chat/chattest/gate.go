package chattest

import (
	"bufio"
	"net"
	"net/http"
)

// A gate is a ResponseWriter whose connection, once taken over for a websocket,
// lets nothing in before open is closed, which is when the request has been
// dealt with.
//
// The library reads from a websocket before it listens to what it reads. It
// sends the Engine.IO handshake in between, so a client that answers that fast
// enough has its CONNECT dropped and waits for ever: about one in 1,000 when
// clients connect all the time.
type gate struct {
	http.ResponseWriter
	open <-chan struct{}
}

// Hijack is http.Hijacker.
func (g gate) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, rw, err := http.NewResponseController(g.ResponseWriter).Hijack()
	return gatedConn{c, g.open}, rw, err
}

type gatedConn struct {
	net.Conn
	open <-chan struct{}
}

func (c gatedConn) Read(b []byte) (int, error) {
	<-c.open
	return c.Conn.Read(b)
}
