package chaos

import (
	"context"
	"net"
	"sync"
	"time"
)

// A Proxy passes TCP connections on to a server, and does to each what its
// fate says. Its methods are safe for concurrent use.
type Proxy struct {
	listener net.Listener
	fate     func(n int) FaultPlan
	running  sync.WaitGroup // the accept loop and the links

	mu       sync.Mutex
	target   string
	healed   bool
	closed   bool
	links    map[*link]struct{}
	accepted int
	broken   int           // connections that were refused or have met a break
	progress chan struct{} // closed and replaced when broken grows
}

// Listen starts a proxy to a target, host and port, on a port of its own, until
// Close. fate is asked for each connection in the order in which they are accepted; nil
// leaves all of them whole.
func Listen(target string, fate func(n int) FaultPlan) (*Proxy, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Proxy{
		listener: listener,
		fate:     fate,
		target:   target,
		links:    map[*link]struct{}{},
		progress: make(chan struct{}),
	}
	p.running.Go(p.accept) // ends when the listener is closed
	return p, nil
}

// URL is where clients find the server.
func (p *Proxy) URL() string { return "http://" + p.listener.Addr().String() }

// SetTarget has connections from now on go to another server.
func (p *Proxy) SetTarget(target string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target = target
}

// Heal makes the network whole: connections that have a fate are cut, and
// those that follow have none.
func (p *Proxy) Heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.healed = true
	for l := range p.links {
		if !l.fate.whole() {
			l.cut()
		}
	}
}

// Cut resets all connections, at both ends.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		l.cut()
	}
}

// Connections returns how many have been accepted.
func (p *Proxy) Connections() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.accepted
}

// Broken returns how many connections were refused or have met a break.
func (p *Proxy) Broken() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.broken
}

// AwaitBroken returns when so many connections are broken, or when ctx ends.
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

// Close cuts everything, and returns when nothing of the proxy runs any more.
func (p *Proxy) Close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.listener.Close()
	p.Cut()
	p.running.Wait()
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		var fate FaultPlan
		if p.fate != nil && !p.healed {
			fate = p.fate(p.accepted)
		}
		p.accepted++
		target := p.target
		p.mu.Unlock()
		if fate.Refuse {
			reset(client)
			p.noteBroken()
			continue
		}
		p.running.Go(func() { p.pass(client, target, fate) }) // ends when the link is cut, by Close at the latest
	}
}

// pass lives through one connection.
func (p *Proxy) pass(client net.Conn, target string, fate FaultPlan) {
	server, err := net.DialTimeout("tcp", target, 5*time.Second)
	if err != nil {
		reset(client)
		return
	}
	l := newLink(client.(*net.TCPConn), server.(*net.TCPConn), fate)
	l.broken = sync.OnceFunc(p.noteBroken)
	p.mu.Lock()
	p.links[l] = struct{}{}
	if p.closed || p.healed && !fate.whole() {
		l.cut()
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

// reset ends a connection so that the other end sees a reset, not an end.
func reset(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // fails only on one that has ended
	}
	c.Close()
}
