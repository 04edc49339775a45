package main

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"
)

// errCut is returned by dial while the network is cut.
var errCut = errors.New("the network is cut")

// A network dials the connections of a tab to the backend and can cut them.
type network struct {
	mu    sync.Mutex
	until time.Time // end of the cut
	conns map[net.Conn]struct{}
}

// dial implements http.Transport.DialContext.
func (n *network) dial(ctx context.Context, kind, addr string) (net.Conn, error) {
	if n.down() {
		return nil, errCut
	}
	c, err := (&net.Dialer{}).DialContext(ctx, kind, addr)
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.conns == nil {
		n.conns = map[net.Conn]struct{}{}
	}
	n.conns[c] = struct{}{}
	return &trackedConn{Conn: c, network: n}, nil
}

func (n *network) down() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return time.Now().Before(n.until)
}

// cut closes every connection and makes dial fail for the duration d.
func (n *network) cut(d time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.until = time.Now().Add(d)
	for c := range n.conns {
		_ = c.Close()
	}
}

// close closes every open connection.
func (n *network) close() { n.cut(0) }

// A trackedConn removes itself from its network when it is closed.
type trackedConn struct {
	net.Conn
	network *network
}

// Close implements net.Conn.
func (c *trackedConn) Close() error {
	c.network.mu.Lock()
	delete(c.network.conns, c.Conn)
	c.network.mu.Unlock()
	return c.Conn.Close()
}
