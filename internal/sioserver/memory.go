package sioserver

import (
	"context"
	"net"
	"sync"
)

// A Memory is a listener whose connections are pipes in memory, for tests in a
// bubble of testing/synctest.
type Memory struct {
	dialed chan net.Conn
	once   sync.Once
	closed chan struct{}
}

// NewMemory returns a listener that is open until Close.
func NewMemory() *Memory {
	return &Memory{dialed: make(chan net.Conn), closed: make(chan struct{})}
}

// DialContext connects to the listener. It ignores the address.
func (m *Memory) DialContext(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case m.dialed <- far:
		return near, nil
	case <-m.closed:
		return nil, &net.OpError{Op: "dial", Net: "memory", Err: net.ErrClosed}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Accept is part of net.Listener.
func (m *Memory) Accept() (net.Conn, error) {
	select {
	case c := <-m.dialed:
		return c, nil
	case <-m.closed:
		return nil, net.ErrClosed
	}
}

// Close is part of net.Listener.
func (m *Memory) Close() error {
	m.once.Do(func() { close(m.closed) })
	return nil
}

// Addr is part of net.Listener.
func (m *Memory) Addr() net.Addr { return &net.TCPAddr{} }
