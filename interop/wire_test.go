package interop

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/internal/nodetest"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// seen is the server's view of a client, and the events that came before the
// reply to CONNECT.
type seen struct {
	Query     map[string]any
	Namespace string
	Path      string
	Early     []string
	Reply     string
	Error     string
}

// transports are the ways to reach a server.
var transports = map[string][]string{
	"websocket":         {conn.WebSocket},
	"polling":           {conn.Polling},
	"polling→websocket": {conn.Polling, conn.WebSocket},
}

// view connects and returns the server's view of conn.
func view(t *testing.T, url string, cfg conn.Config) seen {
	t.Helper()
	cfg.Reconnect = soon
	c, err := conn.New(url, cfg)
	if err != nil {
		return seen{Error: err.Error()}
	}
	raw := c.Raw.Chan(t.Context())
	conn.Handle(c, "ask", func(_ context.Context, name string) (string, error) { return "hello " + name, nil })
	wiretest.Run(t, c)
	var early []string
	var reply string
	for reply == "" {
		switch event := wiretest.ReceiveFrom(t, raw); event.Name {
		case "early":
			text := "bytes"
			if len(event.Attachments) == 0 {
				require.NoError(t, event.Decode(0, &text))
			}
			early = append(early, text)
		case "answered":
			require.NoError(t, event.Decode(0, &reply))
		}
	}
	got, err := conn.Call[seen](wiretest.Context(t), c, "seen")
	require.NoError(t, err)
	got.Early, got.Reply = early, reply
	return got
}

// The server sees the same of conn and of npm's client: path, query, namespace,
// and the events before CONNECT was answered.
func TestURL_isReadAsReferenceClientReadsIt(t *testing.T) {
	server := nodetest.Start(t, "wire.js")
	for _, address := range []string{
		"?token=a;b&x=1", "?token=a+b", "?token=a%20b%2Bc", "?token=abc==", "?a=1&a=2", "?flag", "?caf%C3%A9=%26%3D",
		"/caf%C3%A9", "/a%2Cb", "/admin?tenant=acme", "?token=%zz",
	} {
		t.Run(address, func(t *testing.T) {
			var want seen
			require.NoError(t, json.Unmarshal([]byte(nodetest.Run(t, "reference.js", server.URL()+address)), &want))
			for name, way := range transports {
				got := view(t, server.URL()+address, conn.Config{Transports: way})
				if want.Error != "" {
					assert.NotEmpty(t, got.Error, "npm's client: %s", want.Error)
					continue
				}
				assert.Equal(t, want, got, name)
			}
		})
	}
}

// allowRequest refuses with a text, over each transport.
func TestHandshake_hasTextOfAllowRequest(t *testing.T) {
	server := nodetest.Start(t, "wire.js")
	for name, way := range transports {
		t.Run(name, func(t *testing.T) {
			c, err := conn.New(server.URL()+"?banned=1", conn.Config{Transports: way})
			require.NoError(t, err)
			var refused *conn.RefusedError
			require.ErrorAs(t, c.Run(wiretest.Context(t)), &refused)
			assert.Equal(t, "banned for a day", refused.Message)
		})
	}
}

// The limit of npm's server is exact over each transport: the largest message
// arrives, and a message that is a byte longer is not sent.
func TestMaxPayload_isKnownFromHandshake(t *testing.T) {
	server := nodetest.Start(t, "wire.js", "MAX_PAYLOAD=1000")
	for name, way := range transports {
		t.Run(name, func(t *testing.T) {
			c, err := conn.New(server.URL(), conn.Config{Transports: way, Reconnect: soon})
			require.NoError(t, err)
			wiretest.Run(t, c)
			ctx := wiretest.Context(t)
			_, err = conn.Call[string](ctx, c, "echo", strings.Repeat("x", 1000))
			var large *conn.TooLargeError
			require.ErrorAs(t, err, &large)
			assert.EqualValues(t, 1000, large.Limit)
			text := strings.Repeat("x", 1000-len(`421["echo",""]`))
			got, err := conn.Call[string](ctx, c, "echo", text)
			require.NoError(t, err)
			assert.Equal(t, text, got)
			_, err = conn.Call[any](ctx, c, "echo", make([]byte, 1001))
			require.ErrorAs(t, err, &large)
			bytes, err := conn.Call[[]byte](ctx, c, "echo", make([]byte, 700))
			require.NoError(t, err)
			assert.Len(t, bytes, 700)
			assert.EqualValues(t, 1, c.Stats().Sessions)
		})
	}
}

// Older servers of npm behave alike over each transport.
func TestOldServers_serveEachTransport(t *testing.T) {
	for _, version := range []string{"3.0", "4.0", "4.6"} {
		server := nodetest.Start(t, "wire.js", "SOCKET_IO=socket.io-"+version)
		for name, way := range transports {
			t.Run(version+" by "+name, func(t *testing.T) {
				got := view(t, server.URL()+"/admin?tenant=acme", conn.Config{Transports: way})
				assert.Equal(t, seen{
					Query: map[string]any{"tenant": "acme"}, Namespace: "/admin", Path: "/socket.io/",
					Early: []string{"text", "bytes", "after"}, Reply: "hello name",
				}, got)
			})
		}
	}
}
