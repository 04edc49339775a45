package interop

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/nodetest"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/seed67206a74/parley/reconnect"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if url := os.Getenv(childURL); url != "" {
		_ = json.NewEncoder(os.Stdout).Encode(runChild(url, os.Getenv(childTransport)))
		return
	}
	goleak.VerifyTestMain(m)
}

// backend is the chat backend in a Node process.
type backend = nodetest.Backend

func startBackend(t *testing.T, env ...string) *backend {
	t.Helper()
	return nodetest.Start(t, "server.js", env...)
}

var (
	user = events.StringID("u1")
	room = events.StringID("room-1")

	soon = reconnect.Policy{InitialInterval: 10 * time.Millisecond, MaxInterval: 50 * time.Millisecond}
)

// startClient runs a client until the test ends.
func startClient(t *testing.T, url string, cfg chat.Config) (*chat.Client, <-chan error) {
	t.Helper()
	if cfg.ChatID.IsZero() && !cfg.NoJoin {
		cfg.ChatID = room
	}
	cfg.Conn.Reconnect = soon
	client, err := chat.New(url, cfg)
	require.NoError(t, err)
	ended, _ := wiretest.Run(t, client)
	return client, ended
}

// received returns the events that the backend has received, one event a line.
func received(t *testing.T, client *chat.Client) []string {
	t.Helper()
	type entry struct {
		Event string
		Args  []json.RawMessage
	}
	all, err := conn.Call[[]entry](wiretest.Context(t), client.Conn(), "debug:received")
	require.NoError(t, err)
	var lines []string
	for _, e := range all {
		lines = append(lines, fmt.Sprintf("%s %s", e.Event, e.Args))
	}
	return lines
}

// of returns the lines that begin with prefix.
func of(lines []string, prefix string) (out []string) {
	for _, line := range lines {
		if strings.HasPrefix(line, prefix) {
			out = append(out, line)
		}
	}
	return out
}

// names returns the event names of lines.
func names(lines []string) (out []string) {
	for _, line := range lines {
		name, _, _ := strings.Cut(line, " ")
		out = append(out, name)
	}
	return out
}

// sockets returns the ids of the sockets that are connected to the backend.
func sockets(t *testing.T, client *chat.Client) []string {
	t.Helper()
	ids, err := conn.Call[[]string](wiretest.Context(t), client.Conn(), "debug:sockets")
	require.NoError(t, err)
	return ids
}

// reconnectClient makes the backend close the connection, and returns when the
// client is connected again.
func reconnectClient(t *testing.T, client *chat.Client) {
	t.Helper()
	require.NoError(t, client.Ready(wiretest.Context(t)))
	states := client.States.Chan(t.Context())
	require.NoError(t, client.Emit(wiretest.Context(t), "debug:close", nil))
	wiretest.ReceivePhase(t, states, conn.Waiting)
	wiretest.ReceivePhase(t, states, conn.Ready)
}
