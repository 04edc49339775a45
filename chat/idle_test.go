//go:build !race

package chat

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"

	"github.com/gorilla/websocket"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// idleMemory limits the heap and stacks of an idle client that is Ready. The
// stacks of its two goroutines are 16 KiB of it, and the rest is about 16 KiB.
const idleMemory = 41 << 10

// The race detector adds memory, so this test runs without it. The server's end
// of a connection counts as well, but has no goroutine.
func TestIdleClient_boundsMemory(t *testing.T) {
	const clients = 200
	server := newIdleServer(t)
	before := footprint(t)
	all := make([]*Client, clients)
	subscribed := make([]<-chan events.AIToken, clients)
	for i := range all {
		client, err := New(server.url, Config{ChatID: room1})
		require.NoError(t, err)
		all[i] = client

		go client.Run(t.Context()) // ends with the test
	}
	for _, client := range all {
		require.NoError(t, client.Ready(t.Context()))
	}
	used := func() int64 { return (footprint(t) - before) / clients }
	idle := used()
	t.Logf("before traffic: %.1f KiB", float64(idle)/1024)
	assert.LessOrEqual(t, idle, int64(idleMemory), "before traffic")

	ctx, cancel := context.WithCancel(t.Context())
	for i, client := range all {
		subscribed[i] = client.Tokens.Chan(ctx)
	}
	for range clients {
		peer := <-server.peers
		defer peer.Close()
		for n := range 100 {
			text := fmt.Sprintf(`42["ai:token",{"chatId":"room-1","requestId":"r1","token":"word ","index":%d}]`, n)
			_, err := peer.Write(append([]byte{0x81, byte(len(text))}, text...))
			require.NoError(t, err)
		}
	}
	for i, client := range all {
		require.NoError(t, client.SendMessage(t.Context(), events.UserMessage{MessageID: "m1", UserID: user, Text: "Hello"}))
		for range 100 {
			<-subscribed[i]
		}
	}
	cancel()
	for _, tokens := range subscribed {
		for range tokens { // until it is closed
		}
	}
	clear(subscribed)
	idle = used()
	t.Logf("after traffic: %.1f KiB", float64(idle)/1024)
	assert.LessOrEqual(t, idle, int64(idleMemory), "after traffic")
}

// footprint returns the heap and the stacks of the process without garbage.
// Each collection shrinks stacks by half at most.
func footprint(t *testing.T) int64 {
	for range 5 {
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	t.Logf("heap %d KiB, stacks %d KiB", m.HeapAlloc/1024, m.StackInuse/1024)
	return int64(m.HeapAlloc + m.StackInuse)
}

// An idleServer accepts sessions, and keeps only their network connections.
type idleServer struct {
	url   string
	peers chan net.Conn
}

func newIdleServer(t *testing.T) idleServer {
	s := idleServer{peers: make(chan net.Conn, 1000)}
	upgrader := websocket.Upgrader{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		p := wiretest.Peer{WS: ws, Request: r}
		p.Welcome()
		s.peers <- ws.NetConn()
	}))
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}
