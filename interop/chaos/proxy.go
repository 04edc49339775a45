package chaos

import (
	"context"
	"net"
	"sync"
	"time"
)

// A Proxy forwards TCP connections to a server, each with the faults of its
// plan. Its methods are safe for concurrent use.
type Proxy struct {
	listener net.Listener
	faults   func(n int) FaultPlan
	running  sync.WaitGroup // the accept loop and the links

	mu       sync.Mutex
	target   string
	healed   bool
	closed   bool
	links    map[*link]struct{}
	accepted int
	broken   int           // connections that were refused or had a break
	progress chan struct{} // closed and replaced when broken grows
}

// Listen starts a proxy to target, a host and port. The proxy listens on a free
// port until Close. It calls faults for each connection, in the order in which
// they are accepted. If faults is nil, there are no faults.
func Listen(target string, faults func(n int) FaultPlan) (*Proxy, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Proxy{
		listener: listener,
		faults:   faults,
		target:   target,
		links:    map[*link]struct{}{},
		progress: make(chan struct{}),
	}
	p.running.Go(p.accept) // ends when the listener is closed
	return p, nil
}

// URL returns the URL of the proxy.
func (p *Proxy) URL() string { return "http://" + p.listener.Addr().String() }

// SetTarget directs later connections to another server.
func (p *Proxy) SetTarget(target string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target = target
}

// Heal ends the faults: it resets connections that have a fault, and later
// connections have none.
func (p *Proxy) Heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.healed = true
	for l := range p.links {
		if !l.plan.whole() {
			l.reset()
		}
	}
}

// Reset resets all connections at both ends.
func (p *Proxy) Reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		l.reset()
	}
}

// Connections returns the number of accepted connections.
func (p *Proxy) Connections() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.accepted
}

// Broken returns the number of connections that were refused or had a break.
func (p *Proxy) Broken() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.broken
}

// AwaitBroken waits until count connections are broken, or until ctx ends.
func (p *Proxy) AwaitBroken(ctx context.Context, count int) {
	for {
		p.mu.Lock()
		broken, progress := p.broken, p.progress
		p.mu.Unlock()
		if broken >= count {
			return
		}
		select {
		case <-progress:
		case <-ctx.Done():
			return
		}
	}
}

// Close closes the listener, resets all connections, and waits until all
// goroutines have ended.
func (p *Proxy) Close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.listener.Close()
	p.Reset()
	p.running.Wait()
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		var plan FaultPlan
		if p.faults != nil && !p.healed {
			plan = p.faults(p.accepted)
		}
		p.accepted++
		target := p.target
		p.mu.Unlock()
		if plan.Refuse {
			reset(client)
			p.noteBroken()
			continue
		}
		// The goroutine ends when the link is reset, at the latest by Close.
		p.running.Go(func() { p.forward(client, target, plan) })
	}
}

// forward serves one connection.
func (p *Proxy) forward(client net.Conn, target string, plan FaultPlan) {
	server, err := net.DialTimeout("tcp", target, 5*time.Second)
	if err != nil {
		reset(client)
		return
	}
	l := newLink(client.(*net.TCPConn), server.(*net.TCPConn), plan)
	l.broken = sync.OnceFunc(p.noteBroken)
	p.mu.Lock()
	p.links[l] = struct{}{}
	if p.closed || p.healed && !plan.whole() {
		l.reset()
	}
	p.mu.Unlock()

	l.run()

	p.mu.Lock()
	delete(p.links, l)
	p.mu.Unlock()
}

func (p *Proxy) noteBroken() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.broken++
	close(p.progress)
	p.progress = make(chan struct{})
}

// reset closes a connection so that the other end sees a reset.
func reset(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // fails only on a closed connection
	}
	c.Close()
}
