package main

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"
)

// errCut is the error of a dial while the network is cut.
var errCut = errors.New("the network is cut")

// A network is a tab's way to the backend, which can be cut. It needs no proxy: it is where the client dials.
type network struct {
	mu    sync.Mutex
	until time.Time // it is cut
	conns map[net.Conn]struct{}
}

// dial is for http.Transport.DialContext.
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
	return &cable{Conn: c, network: n}, nil
}

func (n *network) down() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return time.Now().Before(n.until)
}

// cut breaks every connection, and keeps new ones from being made for a while.
func (n *network) cut(d time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.until = time.Now().Add(d)
	for c := range n.conns {
		_ = c.Close()
	}
}

// close breaks every connection that is left.
func (n *network) close() { n.cut(0) }

// A cable is a connection that its network knows of.
type cable struct {
	net.Conn
	network *network
}

// Close is net.Conn.
func (c *cable) Close() error {
	c.network.mu.Lock()
	delete(c.network.conns, c.Conn)
	c.network.mu.Unlock()
	return c.Conn.Close()
}
