package chatnats

import (
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A proxy connects a client to NATS, and can be cut. Then bytes wait in one
// direction or both, and connections stay open, as in a network partition.
type proxy struct {
	URL      string
	up, down sync.RWMutex // read lock while forwarding bytes, write lock while cut
	delay    atomic.Int64 // nanoseconds to wait before forwarding each read
	isCut    atomic.Bool
}

func newProxy(t testing.TB, target string) *proxy {
	at, err := url.Parse(target)
	require.NoError(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &proxy{URL: "nats://" + listener.Addr().String()}
	var running sync.WaitGroup
	var mu sync.Mutex
	var ends []net.Conn
	pass := func(cut *sync.RWMutex, to, from net.Conn) { // ends with either connection
		defer func() { _, _ = to.Close(), from.Close() }()
		buffer := make([]byte, 32<<10)
		for {
			n, err := from.Read(buffer)
			time.Sleep(time.Duration(p.delay.Load()))
			cut.RLock()
			if n > 0 {
				_, _ = to.Write(buffer[:n])
			}
			cut.RUnlock()
			if err != nil {
				return
			}
		}
	}
	running.Go(func() { // ends with the listener
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", at.Host)
			if err != nil {
				_ = client.Close()
				continue
			}
			mu.Lock()
			ends = append(ends, client, server)
			mu.Unlock()
			running.Go(func() { pass(&p.up, server, client) })
			running.Go(func() { pass(&p.down, client, server) })
		}
	})
	t.Cleanup(func() {
		p.mend() // for a test that failed
		_ = listener.Close()
		mu.Lock()
		for _, end := range ends {
			_ = end.Close()
		}
		mu.Unlock()
		running.Wait()
	})
	return p
}

// cut holds all bytes back until mend is called.
func (p *proxy) cut() {
	p.up.Lock()
	p.down.Lock()
	p.isCut.Store(true)
}

func (p *proxy) mend() {
	if p.isCut.CompareAndSwap(true, false) {
		p.down.Unlock()
		p.up.Unlock()
	}
}
