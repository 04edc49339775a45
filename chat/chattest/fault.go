package chattest

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// A Fault describes the faults of one TCP connection. The zero Fault is a
// healthy connection. Byte positions count the bytes that the server has sent
// on the connection, HTTP headers included.
type Fault struct {
	// Refuse closes the connection as soon as it is accepted.
	Refuse bool

	// Delay delays each write of the server.
	Delay time.Duration

	// CutAt breaks the connection after so many bytes. 0 means never.
	CutAt int64

	// HalfOpenAt discards everything that the server sends after so many bytes,
	// and everything that the client sends then. The connection stays open.
	// 0 means never.
	HalfOpenAt int64

	// GarbageAt sends 64 random bytes after so many bytes. 0 means never.
	GarbageAt int64

	// ReadRate is how many bytes a second the server reads, at most. The zero
	// value means no limit.
	ReadRate int
}

// A faultListener gives each connection its faults.
type faultListener struct {
	net.Listener
	plan func(connection int) Fault

	mu      sync.Mutex
	count   int
	frozen  chan struct{} // closed by Unfreeze; nil if not frozen
	closing []net.Conn    // to be closed by Unfreeze
	lost    []net.Conn    // half-open, to be closed with the listener
}

func newFaultListener(l net.Listener, plan func(int) Fault) *faultListener {
	if plan == nil {
		plan = func(int) Fault { return Fault{} }
	}
	return &faultListener{Listener: l, plan: plan}
}

func (l *faultListener) freeze() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.frozen == nil {
		l.frozen = make(chan struct{})
	}
}

func (l *faultListener) thaw() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.frozen != nil {
		close(l.frozen)
		l.frozen = nil
		for _, c := range l.closing {
			c.Close()
		}
		l.closing = nil
	}
}

// Close is part of net.Listener. It ends a freeze and closes the half-open
// connections.
func (l *faultListener) Close() error {
	l.thaw()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.lost {
		c.Close()
	}
	l.lost = nil
	return l.Listener.Close()
}

// Accept is part of net.Listener. Only net/http calls it, in one goroutine.
func (l *faultListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		fault := l.plan(l.count)
		l.count++
		if fault.Refuse {
			c.Close()
			continue
		}
		f := &faultConn{Conn: c, fault: fault, listener: l}
		f.ctx, f.cancel = context.WithCancel(context.Background())
		return f, nil
	}
}

// A faultConn is a connection with faults.
type faultConn struct {
	net.Conn
	fault    Fault
	listener *faultListener
	ctx      context.Context // ends with Close
	cancel   context.CancelFunc

	dead atomic.Bool // half-open

	mu   sync.Mutex // of Write
	sent int64
}

// awake waits while the server is frozen. It returns an error after Close.
func (c *faultConn) awake() error {
	c.listener.mu.Lock()
	frozen := c.listener.frozen
	c.listener.mu.Unlock()
	if frozen != nil {
		select {
		case <-frozen:
		case <-c.ctx.Done():
		}
	}
	if c.ctx.Err() != nil {
		return net.ErrClosed
	}
	return nil
}

func (c *faultConn) Read(p []byte) (int, error) {
	for {
		if err := c.awake(); err != nil {
			return 0, err
		}
		if rate := c.fault.ReadRate; rate > 0 {
			p = p[:min(len(p), max(1, rate/10))]
			pause(c.ctx, time.Second*time.Duration(len(p))/time.Duration(rate))
		}
		n, err := c.Conn.Read(p)
		if closed := c.awake(); closed != nil {
			return 0, closed
		}
		if !c.dead.Load() || err != nil {
			return n, err
		}
	}
}

func (c *faultConn) Write(p []byte) (int, error) {
	if err := c.awake(); err != nil {
		return 0, err
	}
	pause(c.ctx, c.fault.Delay)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dead.Load() {
		return len(p), nil
	}
	before, after := c.sent, c.sent+int64(len(p))
	until := func(at int64) []byte { return p[:max(0, at-before)] }
	switch {
	case c.fault.CutAt > 0 && after >= c.fault.CutAt:
		_, _ = c.Conn.Write(until(c.fault.CutAt))
		c.Close()
		return 0, net.ErrClosed
	case c.fault.HalfOpenAt > 0 && after >= c.fault.HalfOpenAt:
		c.dead.Store(true)
		_, err := c.Conn.Write(until(c.fault.HalfOpenAt))
		return len(p), err
	case c.fault.GarbageAt > before && after >= c.fault.GarbageAt:
		head := until(c.fault.GarbageAt)
		for _, part := range [][]byte{head, garbage(), p[len(head):]} {
			if _, err := c.Conn.Write(part); err != nil {
				return 0, err
			}
		}
		c.sent = after
		return len(p), nil
	}
	n, err := c.Conn.Write(p)
	c.sent += int64(n)
	return n, err
}

// Close closes the connection. A frozen server closes it after Unfreeze, and a
// half-open connection is closed with the listener.
func (c *faultConn) Close() error {
	c.cancel()
	c.listener.mu.Lock()
	defer c.listener.mu.Unlock()
	switch {
	case c.dead.Load():
		c.listener.lost = append(c.listener.lost, c.Conn)
	case c.listener.frozen != nil:
		c.listener.closing = append(c.listener.closing, c.Conn)
	default:
		return c.Conn.Close()
	}
	return nil
}

// garbage returns bytes that are neither HTTP nor a websocket frame.
func garbage() []byte {
	b := make([]byte, 64)
	for i := range b {
		b[i] = byte(0xff - i)
	}
	return b
}
