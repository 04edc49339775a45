package chaos

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/nodetest"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/seed67206a74/parley/reconnect"
	"github.com/stretchr/testify/require"
)

// policy is the reconnect policy of the clients in these tests.
var policy = reconnect.Policy{
	InitialInterval: 20 * time.Millisecond,
	MaxInterval:     200 * time.Millisecond,
	StableAfter:     300 * time.Millisecond,
}

// quiet drops the logs of clients, because they lose connections on purpose.
var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// heartbeat makes a client time out after 1.2 s without a ping.
var heartbeat = []string{"PING_INTERVAL=300", "PING_TIMEOUT=900"}

// startServer starts the chaos server.
func startServer(t testing.TB, env ...string) *nodetest.Backend {
	t.Helper()
	return nodetest.Start(t, "chaos.js", append(heartbeat, env...)...)
}

// startProxy starts a proxy, until the test ends.
func startProxy(t testing.TB, backend *nodetest.Backend, faults func(n int) FaultPlan) *Proxy {
	t.Helper()
	p, err := Listen(address(backend), faults)
	require.NoError(t, err)
	t.Cleanup(p.Close)
	return p
}

func address(b *nodetest.Backend) string { return strings.TrimPrefix(b.URL(), "http://") }

// startConn runs a connection until the test ends.
func startConn(t testing.TB, url string, cfg conn.Config) *conn.Conn {
	t.Helper()
	cfg.Logger = quiet
	c, err := conn.New(url, cfg)
	require.NoError(t, err)
	wiretest.Run(t, c)
	return c
}

// startControl runs a connection to the server without faults.
func startControl(t testing.TB, backend *nodetest.Backend) *conn.Conn {
	t.Helper()
	return startConn(t, backend.URL(), conn.Config{
		Auth:      func(context.Context) (any, error) { return map[string]any{"control": true}, nil },
		Reconnect: policy,
	})
}

// call calls the server. It repeats the call when the session is lost.
func call[R any](ctx context.Context, c *conn.Conn, event string, payload any) (R, error) {
	for {
		reply, err := conn.Call[R](ctx, c, event, payload)
		if !errors.Is(err, conn.ErrSessionLost) {
			return reply, err
		}
	}
}

// serverRecord is the server's record of a room.
type serverRecord struct {
	Seq       int
	Processed []string
	Arrivals  map[string]int
	Results   map[string][]int // of tool calls
	Answers   map[string]serverAnswer
}

type serverAnswer struct {
	Tokens  []string
	Asked   int
	Aborted int
	Done    bool
}

func readRecord(ctx context.Context, control *conn.Conn, room string) (serverRecord, error) {
	return call[serverRecord](ctx, control, "chaos:record", map[string]string{"chatId": room})
}

// A peer is a client behind a proxy of its own, with the records of its events.
type peer struct {
	room    string
	client  *chat.Client
	proxy   *Proxy
	control *conn.Conn
	ended   <-chan error
	stop    func() // ends Run

	asked sync.Map // questions by their request ids

	wire    wire
	states  states
	history history
}

var user = events.StringID("u1")

// startPeer runs a client behind a proxy until the test ends.
func startPeer(t testing.TB, room string, proxy *Proxy, control *conn.Conn, cfg chat.Config) *peer {
	t.Helper()
	p := newPeer(t, room, proxy, control, cfg)
	p.run(t)
	return p
}

// newPeer returns a client for a server behind a proxy.
func newPeer(t testing.TB, room string, proxy *Proxy, control *conn.Conn, cfg chat.Config) *peer {
	t.Helper()
	p := &peer{room: room, proxy: proxy, control: control}
	cfg.ChatID = events.StringID(room)
	cfg.Conn.Logger, cfg.Conn.Reconnect = quiet, policy
	if cfg.Conn.HandshakeTimeout == 0 {
		cfg.Conn.HandshakeTimeout = 2 * time.Second
	}
	var err error
	p.client, err = chat.New(proxy.URL(), cfg)
	require.NoError(t, err)
	p.watch(t)
	return p
}

// run runs the client until the test ends.
func (p *peer) run(t testing.TB) {
	t.Helper()
	p.ended, p.stop = wiretest.Run(t, p.client)
}

// ask asks a question that resume can ask again.
func (p *peer) ask(ctx context.Context, q chat.Question) (*chat.Stream, error) {
	p.asked.Store(q.RequestID, q)
	return p.client.Ask(ctx, q)
}

// resume requests the rest of an answer. If the server does not know the
// question, resume asks it again.
func (p *peer) resume(ctx context.Context, s *chat.Stream) error {
	reply, err := conn.Call[struct{ Known bool }](ctx, p.client.Conn(), "ai:resume", map[string]any{
		"chatId": p.room, "requestId": s.RequestID(), "after": s.Progress().Tokens - 1,
	})
	p.history.add("resumed %s: known %v, %v", s.RequestID(), reply.Known, err)
	if err != nil || reply.Known {
		return err
	}
	asked, ok := p.asked.Load(s.RequestID())
	if !ok {
		return nil // the stream has ended
	}
	q := asked.(chat.Question)
	_, err = conn.Call[any](ctx, p.client.Conn(), "user:message", events.UserMessage{
		ChatID: events.StringID(p.room), RequestID: q.RequestID, MessageID: q.MessageID, UserID: q.UserID, Text: q.Text,
	})
	return err
}
