package chaos

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// A link is one connection through the proxy.
type link struct {
	plan   FaultPlan
	up     *pump // from the client to the server
	down   *pump
	broken func() // called at each break

	ended chan struct{} // closed by finish
	end   sync.Once

	mu     sync.Mutex
	passed int64         // bytes, both ways
	breaks []Break       // not yet reached
	paused chan struct{} // closed at the end of a stall; nil for none
	timers []*time.Timer // of the breaks that were reached
}

// A pump is one direction of a link.
type pump struct {
	from, to *net.TCPConn
	lose     atomic.Bool // bytes are read, but not written
}

func newLink(client, server *net.TCPConn, plan FaultPlan) *link {
	return &link{
		plan:   plan,
		up:     &pump{from: client, to: server},
		down:   &pump{from: server, to: client},
		ended:  make(chan struct{}),
		breaks: plan.Breaks,
	}
}

// run returns when both directions have ended.
func (l *link) run() {
	var both sync.WaitGroup
	for _, p := range []*pump{l.up, l.down} {
		both.Go(func() { l.pump(p) }) // ends when reset closes the connections
	}
	both.Wait()
	l.finish(func(c net.Conn) { c.Close() }) // written bytes are still delivered
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, timer := range l.timers {
		timer.Stop()
	}
}

// reset resets both ends.
func (l *link) reset() { l.finish(reset) }

func (l *link) finish(end func(net.Conn)) {
	l.end.Do(func() {
		close(l.ended)
		end(l.up.from)
		end(l.up.to)
	})
}

// pump forwards the bytes of one direction, and the end of its stream. An error
// resets the link, unless a break has closed an end on purpose.
func (l *link) pump(p *pump) {
	buf := make([]byte, 16<<10)
	for {
		n, err := p.from.Read(buf)
		if !l.write(p, buf[:n]) {
			return
		}
		switch {
		case err == nil:
			continue
		case p.lose.Load() || !l.wait(l.stalled()):
		case err == io.EOF:
			_ = p.to.CloseWrite() // the other end may be closed as well
		default:
			l.reset()
		}
		return
	}
}

// write forwards data with the delays of the plan. It reports whether the link
// is still open.
func (l *link) write(p *pump, data []byte) bool {
	if len(data) > 0 && l.plan.Delay > 0 && !l.sleep(l.plan.Delay) {
		return false
	}
	for len(data) > 0 {
		if !l.wait(l.stalled()) {
			return false
		}
		n := l.next(len(data))
		if !p.lose.Load() {
			if _, err := p.to.Write(data[:n]); err != nil && !p.lose.Load() {
				l.reset()
				return false
			}
		}
		data = data[n:]
		l.count(n)
		if l.plan.Rate > 0 && !l.sleep(time.Duration(n)*time.Second/time.Duration(l.plan.Rate)) {
			return false
		}
	}
	return true
}

// next returns how many of n bytes may be written at once.
func (l *link) next(n int) int {
	if l.plan.Chunk > 0 {
		n = min(n, l.plan.Chunk)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.breaks) > 0 {
		n = min(n, int(max(1, l.breaks[0].After-l.passed)))
	}
	return n
}

// count adds n bytes, and applies the breaks that are due.
func (l *link) count(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.passed += int64(n)
	for len(l.breaks) > 0 && l.passed >= l.breaks[0].After {
		b := l.breaks[0]
		l.breaks = l.breaks[1:]
		l.apply(b)
		if l.broken != nil {
			l.broken()
		}
	}
}

// apply applies a break; l.mu is held.
func (l *link) apply(b Break) {
	client, server := l.up.from, l.up.to
	switch b.Kind {
	case Stall:
		over := make(chan struct{})
		l.paused = over
		l.timers = append(l.timers, time.AfterFunc(b.Hold, func() { close(over) }))
		return
	case Reset:
		l.reset()
		return
	case ResetClient, ResetServer:
		l.up.lose.Store(true)
		l.down.lose.Store(true)
		if b.Kind == ResetClient {
			reset(client)
		} else {
			reset(server)
		}
	case CloseUp:
		l.up.lose.Store(true)
		_ = server.CloseWrite() // it may be closed already
	case CloseDown:
		l.down.lose.Store(true)
		_ = client.CloseWrite()
	}
	l.timers = append(l.timers, time.AfterFunc(b.Hold, l.reset))
}

// stalled returns a channel that closes at the end of the last stall. It is nil
// if there was no stall.
func (l *link) stalled() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.paused
}

// wait waits until the channel is closed, and returns true. It returns true at
// once if the channel is nil, and false if the link ends before.
func (l *link) wait(over <-chan struct{}) bool {
	if over == nil {
		return true
	}
	select {
	case <-over:
		return true
	case <-l.ended:
		return false
	}
}

func (l *link) sleep(d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-l.ended:
		return false
	}
}
