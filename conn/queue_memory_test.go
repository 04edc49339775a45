//go:build !race

package conn_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/internal/memtest"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A fullSocket is a network connection with a peer that reads nothing: after
// fill it takes no byte more.
type fullSocket struct {
	net.Conn
	filled atomic.Bool
	closed chan struct{}
	once   sync.Once
}

func (s *fullSocket) Write(b []byte) (int, error) {
	if !s.filled.Load() {
		return s.Conn.Write(b)
	}
	<-s.closed
	return 0, net.ErrClosed
}

func (s *fullSocket) Close() error {
	s.once.Do(func() { close(s.closed) })
	return s.Conn.Close()
}

// A stoppedServer is a server that stops reading when stop is called.
type stoppedServer struct {
	url  string
	cfg  conn.Config
	stop func()
	full func() // to be called when the queue is full
	end  func() // ends the session
}

func stoppedWebSocket(t *testing.T) stoppedServer {
	socket := &fullSocket{closed: make(chan struct{})}
	url := wiretest.Serve(t, func(p *wiretest.Peer) {
		p.Welcome()
		p.UntilGone()
	})
	dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
		if socket.Conn != nil {
			return nil, net.ErrClosed
		}
		var err error
		socket.Conn, err = new(net.Dialer).DialContext(ctx, network, addr)
		return socket, err
	}
	return stoppedServer{
		url:  url,
		cfg:  conn.Config{Transports: []string{conn.WebSocket}, HTTP: &http.Transport{DialContext: dial}},
		stop: func() { socket.filled.Store(true) },
		full: func() {},
		end:  func() { socket.Close() },
	}
}

// stoppedPolling returns a server that has read CONNECT. It reads the next
// packet when full is called. full returns when the client has begun to post
// the packets that have waited meanwhile.
func stoppedPolling(t *testing.T) stoppedServer {
	ended := make(chan struct{})
	first, rest := make(chan struct{}), make(chan struct{})
	var polls, posts atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reply := "ok"
		switch {
		case r.URL.Query().Get("sid") == "":
			reply = wiretest.OpenPacket
		case r.Method == http.MethodGet && polls.Add(1) == 1:
			reply = `40{"sid":"socket-1"}`
		case r.Method == http.MethodGet:
			<-ended
		default:
			switch posts.Add(1) {
			case 1: // CONNECT
			case 2:
				<-first
			case 3:
				close(rest)
				<-ended
			}
			_, _ = io.Copy(io.Discard, r.Body)
		}
		_, _ = io.WriteString(w, reply)
	}))
	t.Cleanup(server.Close)
	return stoppedServer{
		url:  server.URL,
		cfg:  conn.Config{Transports: []string{conn.Polling}},
		stop: func() {},
		full: func() {
			close(first)
			<-rest
		},
		end: func() { close(ended) },
	}
}

// The heap that waiting packets keep is at most twice MaxQueueBytes, while the
// server reads nothing.
func TestMaxQueueBytes_boundsMemoryOfPackets(t *testing.T) {
	text := func(n int) any { return strings.Repeat("x", n) }
	for name, payload := range map[string]func() []any{
		"small":                 func() []any { return []any{1} },
		"maps":                  func() []any { return []any{map[string]any{"a": 1, "b": "x"}} },
		"large texts":           func() []any { return []any{text(300_000)} },
		"small attachments":     func() []any { return []any{[][]byte{{1}, {2}, {3}, {4}, {5}, {6}, {7}, {8}}} },
		"large attachments":     func() []any { return []any{make([]byte, 300_000)} },
		"a text, an attachment": func() []any { return []any{text(3000), make([]byte, 5000)} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Run("websocket", func(t *testing.T) { fillQueue(t, stoppedWebSocket(t), payload) })
			t.Run("polling", func(t *testing.T) { fillQueue(t, stoppedPolling(t), payload) })
		})
	}
}

// fillQueue sends until the queue is full, and checks the heap.
func fillQueue(t *testing.T, server stoppedServer, payload func() []any) {
	const limit = 4 << 20
	cfg := server.cfg
	cfg.MaxQueue, cfg.MaxQueueBytes, cfg.WriteTimeout = 1<<20, limit, time.Hour
	c, _, _ := start(t, server.url, cfg)
	require.NoError(t, c.Ready(t.Context()))
	emitLarge(t, c)
	server.stop()
	before := memtest.Heap()
	for c.TryEmit("x", payload()...) == nil {
	}
	server.full()
	used := memtest.Heap() - before
	assert.LessOrEqual(t, used, int64(2*limit))
	stats := c.Stats()
	assert.Greater(t, stats.QueuedBytes, int64(limit/2))
	t.Logf("%d packets, counted %d: %.2f of the limit", stats.Queued, stats.QueuedBytes, float64(used)/limit)
	server.end()
}

// emitLarge fills the pool with buffers that are larger than most packets need.
func emitLarge(t *testing.T, c *conn.Conn) {
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() { assert.Error(t, c.Emit(t.Context(), "x", strings.Repeat("x", 60_000), make(chan int))) })
	}
	all.Wait()
}
