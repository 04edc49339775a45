package chatnats

import (
	"context"
	"net"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A proxy stands between a client and NATS, and can be cut: then nothing gets
// through in either direction, and connections stay open, as when a network is torn.
type proxy struct {
	URL  string
	mu   sync.RWMutex // held for reading by what passes, for writing while cut
	ends []net.Conn
}

func newProxy(t testing.TB, target string) *proxy {
	at, err := url.Parse(target)
	require.NoError(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &proxy{URL: "nats://" + listener.Addr().String()}
	var running sync.WaitGroup
	var mu sync.Mutex
	pass := func(to, from net.Conn) { // ends with either connection
		defer func() { _, _ = to.Close(), from.Close() }()
		buffer := make([]byte, 32<<10)
		for {
			n, err := from.Read(buffer)
			p.mu.RLock()
			if n > 0 {
				_, _ = to.Write(buffer[:n])
			}
			p.mu.RUnlock()
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
			p.ends = append(p.ends, client, server)
			mu.Unlock()
			running.Go(func() { pass(server, client) })
			running.Go(func() { pass(client, server) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		mu.Lock()
		for _, end := range p.ends {
			_ = end.Close()
		}
		mu.Unlock()
		running.Wait()
	})
	return p
}

func (p *proxy) cut()  { p.mu.Lock() }
func (p *proxy) mend() { p.mu.Unlock() }

func TestRunWithLease_hasOneHolderDuringNetworkCut(t *testing.T) {
	server := newServer(t)
	torn := newProxy(t, server.URL)
	var mu sync.Mutex
	claims := map[string][]int64{}
	compete := func(id, url string, held chan<- struct{}) {
		b := newBus(t, url, Config{})
		running(t, func(ctx context.Context) error {
			return RunWithLease(ctx, b, room, LeaseConfig{TTL: time.Second, ID: id}, func(ctx context.Context) error {
				held <- struct{}{}
				tick := time.NewTicker(time.Millisecond)
				defer tick.Stop()
				for {
					at := time.Now().UnixNano() // before the question: see contender
					if ctx.Err() != nil {
						return nil
					}
					mu.Lock()
					claims[id] = append(claims[id], at)
					mu.Unlock()
					select {
					case <-tick.C:
					case <-ctx.Done():
					}
				}
			})
		})
	}
	one, two := make(chan struct{}, 100), make(chan struct{}, 100)
	compete("one", torn.URL, one)
	next(t, one)
	compete("two", server.URL, two)
	torn.cut()
	next(t, two)
	torn.mend() // what the first one sent meanwhile arrives now
	require.Eventually(t, func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(claims["two"]) > 500
	}, patience, time.Millisecond)
	mu.Lock()
	defer mu.Unlock()
	require.NotEmpty(t, claims["one"])
	disjoint(t, claims["one"], claims["two"])
	disjoint(t, claims["two"], claims["one"])
}
