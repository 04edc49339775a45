package chattest_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/conn"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// inBubbleWith runs a bare connection against a backend in memory whose first
// connection has a fault.
func inBubbleWith(t *testing.T, fault chattest.Fault, cfg conn.Config, play func(t *testing.T, server *chattest.Server, c *conn.Conn)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		server := chattest.NewInMemory(chattest.Config{Fault: func(connection int) chattest.Fault {
			if connection == 0 {
				return fault
			}
			return chattest.Fault{}
		}})
		defer server.Close()
		cfg.HTTP, cfg.Logger = server.Transport(), quiet.Logger
		c, err := conn.New(server.URL, cfg)
		require.NoError(t, err)
		states := c.States.Chan(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- c.Run(t.Context()) }() // ends with Close
		play(t, server, c)
		_ = c.Close()
		<-ended
		for range states { // to its end
		}
	})
}

var overWebSocket = conn.Config{Transports: []string{conn.WebSocket}}

func TestFault_breaksFirstConnection(t *testing.T) {
	for name, fault := range map[string]chattest.Fault{
		"refused":                   {Refuse: true},
		"cut in the HTTP response":  {CutAt: 20},
		"cut in the handshake":      {CutAt: 200},
		"half-open in the response": {HalfOpenAt: 20},
		"half-open in the open":     {HalfOpenAt: 200},
		"garbage in the response":   {GarbageAt: 3},
		"garbage in the frames":     {GarbageAt: 200},
	} {
		t.Run(name, func(t *testing.T) {
			inBubbleWith(t, fault, overWebSocket, func(t *testing.T, _ *chattest.Server, c *conn.Conn) {
				assert.Equal(t, 1, call[int](t, c, "echo", 1), "over the second connection")
			})
		})
	}
}

func TestFault_halfOpenIsFoundByHeartbeat(t *testing.T) {
	inBubbleWith(t, chattest.Fault{HalfOpenAt: 400}, overWebSocket, func(t *testing.T, server *chattest.Server, c *conn.Conn) {
		require.NoError(t, c.Ready(t.Context()))
		states := c.States.Chan(t.Context())
		start := time.Now()
		for n := range 10 {
			require.NoError(t, server.Sockets()[0].Emit(t.Context(), "filler", n, "some bytes to fill the connection"))
		}
		for state := range states {
			if state.Phase == conn.Waiting {
				assert.ErrorIs(t, state.Err, conn.ErrPingTimeout)
				assert.Equal(t, 45*time.Second, time.Since(start))
				return
			}
		}
	})
}

func TestFault_delaysServer(t *testing.T) {
	inBubbleWith(t, chattest.Fault{Delay: time.Second}, overWebSocket, func(t *testing.T, _ *chattest.Server, c *conn.Conn) {
		require.NoError(t, c.Ready(t.Context()))
		start := time.Now()
		assert.Equal(t, 1, call[int](t, c, "echo", 1))
		assert.Equal(t, time.Second, time.Since(start))
	})
}

func TestFault_slowsReading(t *testing.T) {
	inBubbleWith(t, chattest.Fault{ReadRate: 100}, overWebSocket, func(t *testing.T, _ *chattest.Server, c *conn.Conn) {
		require.NoError(t, c.Ready(t.Context()))
		start := time.Now()
		call[string](t, c, "echo", strings.Repeat("x", 500))
		assert.Greater(t, time.Since(start), 5*time.Second)
	})
}

func TestFreeze_stopsServer(t *testing.T) {
	inBubbleWith(t, chattest.Fault{}, overWebSocket, func(t *testing.T, server *chattest.Server, c *conn.Conn) {
		require.NoError(t, c.Ready(t.Context()))
		states := c.States.Chan(t.Context())
		server.Freeze()
		for state := range states {
			if state.Phase == conn.Waiting {
				assert.ErrorIs(t, state.Err, conn.ErrPingTimeout)
				break
			}
		}
		time.Sleep(time.Minute)
		assert.NotEqual(t, conn.Ready, c.State().Phase, "new connections are not answered")
		server.Unfreeze()
		assert.Equal(t, 1, call[int](t, c, "echo", 1))
	})
}
