package engineio

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// dialPlayed opens a session over ws or wss with a server that calls play after
// the open packet. dial opens its connection; nil means the network.
func dialPlayed(t *testing.T, scheme string, dial dialFunc, play func(ws *websocket.Conn)) *Session {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer ws.Close()
		send(ws, openPacket)
		play(ws)
	}))
	transport := &http.Transport{DialContext: dial}
	if scheme == "wss" {
		server.StartTLS()
		roots := x509.NewCertPool()
		roots.AddCert(server.Certificate())
		transport.TLSClientConfig = &tls.Config{RootCAs: roots}
	} else {
		server.Start()
	}
	t.Cleanup(server.Close)
	o := optionsFor(t, server.URL, WebSocket)
	o.HTTP, o.NoCompression = transport, true
	return dialTest(t, o)
}

// eachScheme runs a test over a plain connection and over TLS.
func eachScheme(t *testing.T, test func(t *testing.T, scheme string)) {
	for _, scheme := range []string{"ws", "wss"} {
		t.Run(scheme, func(t *testing.T) { test(t, scheme) })
	}
}

// fillSocket writes messages until the socket does not take the last one as a
// whole, and returns their number.
func fillSocket(t *testing.T, s *Session) int {
	t.Helper()
	padding := strings.Repeat("x", 8<<10)
	for n := 1; ; n++ {
		taken, more, err := s.TryWrite(Message{Data: fmt.Appendf(nil, "%d %s", n, padding)})
		require.NoError(t, err)
		require.True(t, taken)
		if more {
			return n
		}
	}
}

func TestTryWrite_doesNotBlock(t *testing.T) {
	eachScheme(t, func(t *testing.T, scheme string) {
		read, got := make(chan int), make(chan int)
		s := dialPlayed(t, scheme, nil, func(ws *websocket.Conn) {
			for n := range <-read {
				_, frame, err := ws.ReadMessage()
				if !assert.NoError(t, err) || !assert.True(t, strings.HasPrefix(string(frame), fmt.Sprintf("4%d ", n+1))) {
					break
				}
			}
			_, last, _ := ws.ReadMessage()
			assert.Equal(t, "4last", string(last))
			close(got)
		})
		n := fillSocket(t, s)
		taken, _, err := s.TryWrite(Message{Data: []byte("not now")})
		require.NoError(t, err)
		require.False(t, taken, "the socket is full")
		read <- n
		require.NoError(t, s.Flush())
		taken, more, err := s.TryWrite(Message{Data: []byte("last")})
		require.NoError(t, err)
		require.True(t, taken)
		if more {
			require.NoError(t, s.Flush())
		}
		<-got
	})
}

func TestTryWrite_leavesLongMessagesToWrite(t *testing.T) {
	s := dialPlayed(t, "ws", nil, func(ws *websocket.Conn) { _, _, _ = ws.ReadMessage() })
	taken, _, err := s.TryWrite(Message{Data: make([]byte, tryBatch+1)})
	assert.NoError(t, err)
	assert.False(t, taken)
}

func TestCloseNow_unblocksFlush(t *testing.T) {
	eachScheme(t, func(t *testing.T, scheme string) {
		gone := make(chan struct{})
		defer close(gone)
		s := dialPlayed(t, scheme, nil, func(*websocket.Conn) { <-gone })
		fillSocket(t, s)
		flushed := make(chan error)
		go func() { flushed <- s.Flush() }()
		s.CloseNow()
		assert.Error(t, <-flushed)
	})
}

// A countedConn counts its writes. The first one after gate is set waits until
// gate is closed.
type countedConn struct {
	net.Conn
	writes atomic.Int32
	gate   atomic.Pointer[chan struct{}]
}

func (c *countedConn) Write(p []byte) (int, error) {
	c.writes.Add(1)
	if gate := c.gate.Load(); gate != nil {
		<-*gate
	}
	return c.Conn.Write(p)
}

func countedDial(c *countedConn) dialFunc {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		var err error
		c.Conn, err = new(net.Dialer).DialContext(ctx, network, addr)
		return c, err
	}
}

func TestWrite_sendsBatchInOneWrite(t *testing.T) {
	eachScheme(t, func(t *testing.T, scheme string) {
		var c countedConn
		var messages []Message
		got := make(chan string)
		s := dialPlayed(t, scheme, countedDial(&c), func(ws *websocket.Conn) {
			for range 100 {
				_, frame, _ := ws.ReadMessage()
				got <- string(frame)
			}
		})
		for n := range 100 {
			messages = append(messages, Message{Data: fmt.Append(nil, n)})
		}
		before := c.writes.Load()
		require.NoError(t, s.Write(messages...))
		assert.Equal(t, before+1, c.writes.Load())
		for n := range 100 {
			assert.Equal(t, fmt.Sprint("4", n), <-got)
		}
		taken, _, err := s.TryWrite(messages...)
		require.NoError(t, err)
		assert.False(t, taken, "only a socket of the net package is known to write without blocking")
	})
}

// The websocket's ping arrives while a batch is written. Its pong follows the
// batch.
func TestWrite_sendsPongAfterBatch(t *testing.T) {
	eachScheme(t, func(t *testing.T, scheme string) {
		var c countedConn
		ping, got := make(chan struct{}), make(chan string, 3)
		s := dialPlayed(t, scheme, countedDial(&c), func(ws *websocket.Conn) {
			ws.SetPongHandler(func(data string) error { got <- "pong " + data; return nil })
			<-ping
			_ = ws.WriteMessage(websocket.PingMessage, []byte("p"))
			send(ws, "4after the ping")
			for {
				_, frame, err := ws.ReadMessage()
				if err != nil {
					return
				}
				got <- string(frame[:2])
			}
		})
		gate := make(chan struct{})
		c.gate.Store(&gate)
		before := c.writes.Load()
		written := make(chan error)
		long := strings.Repeat("x", flushFrom)
		go func() { written <- s.Write(Message{Data: []byte("1" + long)}, Message{Data: []byte("2" + long)}) }()
		require.Eventually(t, func() bool { return c.writes.Load() > before }, time.Minute, time.Millisecond)
		close(ping)
		require.Equal(t, "after the ping", readText(t, s))
		close(gate)
		require.NoError(t, <-written)
		assert.Equal(t, []string{"41", "42", "pong p"}, []string{<-got, <-got, <-got})
		s.CloseNow()
	})
}
