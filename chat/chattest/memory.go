package chattest

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"
)

// NewInMemory starts a backend without a port: its connections are pipes in
// memory, and its clients reach it through [Server.Transport] alone. In a bubble of
// testing/synctest, where it has to be started and closed, its time is the
// bubble's: a test of hours of reconnects takes milliseconds.
//
// The caller calls Close when done with it.
func NewInMemory(cfg Config) *Server {
	m := &memory{dialled: make(chan net.Conn), closed: make(chan struct{})}
	s := serve(m, cfg)
	s.URL = "http://chattest.invalid"
	s.memory = m
	return s
}

// Transport returns how requests reach this backend, for conn.Config.HTTP. Of one on a port that
// is what every http.Transport does by default.
//
//	chat.Config{Conn: conn.Config{HTTP: server.Transport()}}
func (s *Server) Transport() *http.Transport {
	transport := &http.Transport{}
	if s.memory != nil {
		transport.DialContext = s.memory.dial
	}
	return transport
}

// A memory is a listener whose connections are pipes.
type memory struct {
	dialled chan net.Conn
	once    sync.Once
	closed  chan struct{}
}

func (m *memory) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case m.dialled <- &late{Conn: far, closed: make(chan struct{})}:
		return near, nil
	case <-m.closed:
		return nil, &net.OpError{Op: "dial", Net: "memory", Err: net.ErrClosed}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// A late connection has what the client says arrive after a latency. The
// library starts to wait for the answer to a ping only when the ping is out: an
// answer that takes no time at all comes before that, and goes unnoticed.
type late struct {
	net.Conn
	once   sync.Once
	closed chan struct{}
}

const latency = time.Millisecond

func (l *late) Read(p []byte) (int, error) {
	n, err := l.Conn.Read(p)
	if err == nil {
		select {
		case <-time.After(latency):
		case <-l.closed:
		}
	}
	return n, err
}

func (l *late) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Conn.Close()
}

func (m *memory) Accept() (net.Conn, error) {
	select {
	case c := <-m.dialled:
		return c, nil
	case <-m.closed:
		return nil, net.ErrClosed
	}
}

func (m *memory) Close() error {
	m.once.Do(func() { close(m.closed) })
	return nil
}

func (m *memory) Addr() net.Addr { return &net.TCPAddr{} }
