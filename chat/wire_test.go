package chat

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/seed67206a74/parley/reconnect"
	"github.com/stretchr/testify/require"
)

var (
	user  = events.StringID("u1")
	room1 = events.StringID("room-1")
	room2 = events.StringID("room-2")
)

// A stage is a backend at the other end of a websocket, whose frames the test
// writes by hand.
type stage struct {
	url    string
	peers  chan *peer  // each session after the handshake
	frames chan string // every frame that the client has sent after its CONNECT
}

// A peer is one session of a stage. Unlike wiretest's, it may be written to by
// several goroutines.
type peer struct {
	*wiretest.Peer
	mu sync.Mutex
}

func (p *peer) Send(frames ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, frame := range frames {
		p.Peer.Send(frame)
	}
}

// cut breaks the connection, as a failing network would.
func (p *peer) cut() { _ = p.WS.Close() }

// newStage starts a backend. answer, if it is not nil, is called with each
// frame before the test receives it.
func newStage(t testing.TB, answer func(p *peer, frame string)) *stage {
	s := &stage{peers: make(chan *peer, 16), frames: make(chan string, 1024)}
	s.url = wiretest.Serve(t, func(wp *wiretest.Peer) {
		p := &peer{Peer: wp}
		p.Welcome()
		s.peers <- p
		for frame := p.Receive(); frame != ""; frame = p.Receive() {
			if answer != nil {
				answer(p, frame)
			}
			s.frames <- frame
		}
	})
	return s
}

// next returns the next frame of the client.
func (s *stage) next(t testing.TB) string { return wiretest.ReceiveFrom(t, s.frames) }

// run makes a client of the stage that runs until the test ends, and returns
// its first session.
func (s *stage) run(t testing.TB, cfg Config) (client *Client, ended <-chan error) {
	t.Helper()
	client = s.client(t, cfg)
	ended, _ = wiretest.Run(t, client)
	return client, ended
}

// client makes a client of the stage.
func (s *stage) client(t testing.TB, cfg Config) *Client {
	t.Helper()
	client, err := New(s.url, quick(cfg))
	require.NoError(t, err)
	t.Cleanup(func() { client.Close() })
	return client
}

// quick sets the defaults of tests: a room, retries without delay, and no log.
func quick(cfg Config) Config {
	if cfg.ChatID.IsZero() && !cfg.NoJoin && cfg.JoinPayload == nil {
		cfg.ChatID = room1
	}
	if cfg.Conn.Reconnect == (reconnect.Policy{}) {
		cfg.Conn.Reconnect = reconnect.Policy{InitialInterval: time.Millisecond, MaxInterval: time.Millisecond}
	}
	if cfg.Conn.Logger == nil {
		cfg.Conn.Logger = slog.New(slog.DiscardHandler)
	}
	return cfg
}

// A wire is a connection without a socket, for tests in a bubble of synctest:
// a conn.Dialer that brings each session to the test, which plays the server.
type wire chan *link

func (w wire) Dial(ctx context.Context, _ conn.Endpoint) (conn.Engine, error) {
	l := newLink(0)
	select {
	case w <- l:
		return l, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// client makes a client of the wire.
func (w wire) client(t testing.TB, cfg Config) *Client {
	t.Helper()
	cfg.Conn.Dialer = w
	client, err := New("http://localhost", quick(cfg))
	require.NoError(t, err)
	t.Cleanup(func() { client.Close() })
	return client
}

// accept completes the handshake of the next session.
func (w wire) accept(pid string) *link {
	l := <-w
	<-l.out // CONNECT
	if pid == "" {
		l.send(`40{"sid":"socket-1"}`)
	} else {
		l.send(`40{"sid":"socket-1","pid":"` + pid + `"}`)
	}
	return l
}

// A link is one session of a wire, and its Engine.
type link struct {
	in   chan []byte // frames to the client
	out  chan string // frames of the client
	gone chan struct{}
	once sync.Once
}

// newLink returns a link that holds so many frames until the client reads them.
func newLink(buffer int) *link {
	return &link{in: make(chan []byte, buffer), out: make(chan string, 1024), gone: make(chan struct{})}
}

// send returns when the client has taken the frames, or has gone.
func (l *link) send(frames ...string) {
	for _, frame := range frames {
		select {
		case l.in <- []byte(frame):
		case <-l.gone:
		}
	}
}

// drain returns the frames that the client has sent and that are not read yet.
func (l *link) drain() (frames []string) {
	for len(l.out) > 0 {
		frames = append(frames, <-l.out)
	}
	return frames
}

// cut breaks the connection.
func (l *link) cut() { l.once.Do(func() { close(l.gone) }) }

func (l *link) Read() (conn.Message, error) {
	select {
	case frame := <-l.in:
		return conn.Message{Data: frame[1:]}, nil // without Engine.IO's type
	case <-l.gone:
		return conn.Message{}, io.EOF
	}
}

func (l *link) Write(messages ...conn.Message) error {
	for _, m := range messages {
		select {
		case l.out <- "4" + string(m.Data):
		case <-l.gone:
			return io.ErrClosedPipe
		}
	}
	return nil
}

func (l *link) Close(time.Duration) error { l.cut(); return nil }
func (l *link) CloseNow() error           { l.cut(); return nil }
