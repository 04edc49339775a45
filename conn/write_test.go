package conn_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A tank is an Engine whose socket takes a number of bytes until the peer
// reads. Its Dialer is itself.
type tank struct {
	fromServer chan string
	gone       chan struct{}
	once       sync.Once

	mu      sync.Mutex
	room    int // bytes that the socket takes
	written []string
	rest    int           // bytes of TryWrite that the socket did not take
	read    chan struct{} // closed when the peer reads
}

func newTank(room int) *tank {
	return &tank{fromServer: make(chan string, 1), gone: make(chan struct{}), room: room, read: make(chan struct{})}
}

func (p *tank) Dial(context.Context, conn.Endpoint) (conn.Engine, error) { return p, nil }

func (p *tank) Read() (conn.Message, error) {
	select {
	case frame := <-p.fromServer:
		return conn.Message{Data: []byte(frame)}, nil
	case <-p.gone:
		return conn.Message{}, io.EOF
	}
}

func (p *tank) TryWrite(messages ...conn.Message) (taken, more bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.room == 0 {
		return false, false, nil
	}
	for _, m := range messages {
		p.written = append(p.written, string(m.Data))
		p.rest += max(0, len(m.Data)-p.room)
		p.room = max(0, p.room-len(m.Data))
	}
	return true, p.rest > 0, nil
}

func (p *tank) Flush() error {
	select {
	case <-p.read:
		return nil
	case <-p.gone:
		return errors.New("broken pipe")
	}
}

func (p *tank) Write(messages ...conn.Message) error {
	p.mu.Lock()
	full := p.room == 0
	p.mu.Unlock()
	if full {
		if err := p.Flush(); err != nil {
			return err
		}
	}
	_, _, err := p.TryWrite(messages...)
	return err
}

// readAll makes the peer read all that was and will be written.
func (p *tank) readAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.room, p.rest = 1<<30, 0
	close(p.read)
}

// events returns the events that were written.
func (p *tank) events() (events []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, frame := range p.written {
		if strings.HasPrefix(frame, "2") {
			events = append(events, frame)
		}
	}
	return events
}

func (p *tank) Close(time.Duration) error { return p.CloseNow() }
func (p *tank) CloseNow() error           { p.once.Do(func() { close(p.gone) }); return nil }

func TestEmit_returnsWithContextWhenPeerStopsReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newTank(100)
		p.fromServer <- `0{"sid":"socket-1"}`
		c, err := conn.New("http://localhost", conn.Config{Dialer: p})
		require.NoError(t, err)
		wiretest.Run(t, c)
		require.NoError(t, c.Ready(t.Context()))
		session := c.Session()

		var want []string
		emit := func(n int) error {
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			began := time.Now()
			err := c.Emit(ctx, "event", n)
			if err != nil {
				assert.Equal(t, 50*time.Millisecond, time.Since(began))
			}
			return err
		}
		sent := func(n int) { want = append(want, fmt.Sprintf(`2["event",%d]`, n)) }
		n := 0
		var failed *conn.SendError
		for failed == nil {
			n++
			err := emit(n)
			require.True(t, err == nil || errors.As(err, &failed))
			sent(n)
		}
		assert.ErrorIs(t, failed, context.DeadlineExceeded)
		assert.True(t, failed.MaybeSent, "the socket has a part of it")

		err = emit(n + 1)
		require.ErrorAs(t, err, &failed)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.False(t, failed.MaybeSent, "it was withdrawn")
		require.NoError(t, c.TryEmit("event", n+2), "the queue has room")
		sent(n + 2)

		p.readAll()
		require.NoError(t, emit(n+3))
		sent(n + 3)
		assert.Equal(t, want, p.events(), "in order, each once")
		assert.Same(t, session, c.Session())
	})
}

// The server reads nothing until the client's Emit has failed.
func TestEmit_keepsSessionAfterContextEndsInBlockedWrite(t *testing.T) {
	read, got := make(chan struct{}), make(chan string, 1)
	url := wiretest.Serve(t, func(p *wiretest.Peer) {
		p.Welcome()
		<-read
		for {
			if frame := p.Receive(); frame == "" || strings.HasPrefix(frame, `42["last"`) {
				got <- frame
				return
			}
		}
	})
	c, _, _ := start(t, url, conn.Config{NoCompression: true})
	require.NoError(t, c.Ready(t.Context()))
	text := strings.Repeat("x", 16<<10)
	var failed *conn.SendError
	for failed == nil {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		err := c.Emit(ctx, "fill", text)
		cancel()
		require.True(t, err == nil || errors.As(err, &failed))
	}
	assert.ErrorIs(t, failed, context.DeadlineExceeded)
	close(read)
	require.NoError(t, c.Emit(t.Context(), "last"))
	assert.Equal(t, `42["last"]`, wiretest.ReceiveFrom(t, got))
}

func TestEmit_keepsOrderOfEachCaller(t *testing.T) {
	const callers, each = 16, 200
	got := make(chan int, 1)
	url := wiretest.Serve(t, func(p *wiretest.Peer) {
		p.Welcome()
		next := make([]int, callers)
		inOrder := 0
		for range callers * each {
			var caller, n int
			if _, err := fmt.Sscanf(p.Receive(), `42["event",%d,%d]`, &caller, &n); err == nil && next[caller] == n {
				next[caller]++
				inOrder++
			}
		}
		got <- inOrder
		p.UntilGone()
	})
	c, _, _ := start(t, url, conn.Config{})
	var all sync.WaitGroup
	for caller := range callers {
		all.Go(func() {
			for n := range each {
				assert.NoError(t, c.Emit(t.Context(), "event", caller, n))
			}
		})
	}
	all.Wait()
	assert.Equal(t, callers*each, wiretest.ReceiveFrom(t, got))
	assert.EqualValues(t, callers*each, c.Stats().Sent)
	assert.Zero(t, c.Stats().Queued)
}

// A filter blocks the goroutine that publishes Ready, after the newer
// subscription has it.
func TestTryEmit_sendsOnceReadyIsPublished(t *testing.T) {
	frames := make(chan string, 1)
	url := wiretest.Serve(t, func(p *wiretest.Peer) { p.Welcome(); frames <- p.Receive(); p.UntilGone() })
	c, err := conn.New(url, conn.Config{})
	require.NoError(t, err)
	release := make(chan struct{})
	c.States.Subscribe(t.Context(), bus.Filter(func(s conn.State) bool {
		if s.Phase == conn.Ready {
			<-release
		}
		return true
	}))
	states := c.States.Chan(t.Context())
	wiretest.Run(t, c)
	wiretest.ReceivePhase(t, states, conn.Ready)
	require.NoError(t, c.TryEmit("volatile"))
	close(release) // the session's goroutine, which publishes, also writes
	assert.Equal(t, `42["volatile"]`, wiretest.ReceiveFrom(t, frames))
}
