package conn_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed67206a74/parley/conn"
	"github.com/stretchr/testify/require"
)

// A memory is a Dialer without a socket, for tests in a bubble of synctest. It
// brings each session to the test, which plays the server.
type memory chan *link

func (m memory) Dial(ctx context.Context, _ conn.Endpoint) (conn.Engine, error) {
	l := &link{in: make(chan string, 100), out: make(chan string, 100), gone: make(chan struct{})}
	select {
	case m <- l:
		return l, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// accept returns the next session and its CONNECT packet, and replies to that.
func (m memory) accept(reply string) (l *link, connect string) {
	l = <-m
	connect = <-l.out
	l.in <- reply
	return l, connect
}

// conn returns a connection that uses m.
func (m memory) conn(t testing.TB, cfg conn.Config) *conn.Conn {
	t.Helper()
	cfg.Dialer = m
	if cfg.Reconnect.InitialInterval == 0 {
		cfg.Reconnect = soon
	}
	c, err := conn.New("http://localhost", cfg)
	require.NoError(t, err)
	return c
}

// A link is one session of a memory, and its Engine.
type link struct {
	in   chan string // messages to the client
	out  chan string // messages of the client
	gone chan struct{}
	once sync.Once
	err  error // of Read, once the link is cut
}

// cut ends the session with an error of Read.
func (l *link) cut(err error) {
	l.once.Do(func() {
		l.err = err
		close(l.gone)
	})
}

func (l *link) Read() (conn.Message, error) {
	select {
	case data := <-l.in:
		if content, binary := strings.CutPrefix(data, "b"); binary {
			return conn.Message{Binary: true, Data: []byte(content)}, nil
		}
		return conn.Message{Data: []byte(data)}, nil
	case <-l.gone:
		return conn.Message{}, l.err
	}
}

func (l *link) Write(messages ...conn.Message) error {
	for _, m := range messages {
		select {
		case <-l.gone:
			return io.ErrClosedPipe
		default:
		}
		select {
		case l.out <- string(m.Data):
		case <-l.gone:
			return io.ErrClosedPipe
		}
	}
	return nil
}

// errClosed is the error of Read after CloseNow.
var errClosed = errors.New("closed")

func (l *link) Close(time.Duration) error { l.cut(errClosed); return nil }
func (l *link) CloseNow() error           { l.cut(errClosed); return nil }

// Heartbeat is the time after which the server has noticed that the client has
// gone.
func (l *link) Heartbeat() time.Duration { return time.Minute }
