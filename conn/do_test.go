package conn_test

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDo_callsAgainOnNextSessionWhenNothingWasSent(t *testing.T) {
	drop := make(chan struct{})
	frames := make(chan string, 1)
	url, _ := connects(t, `40{"sid":"socket-1"}`,
		func(p *wiretest.Peer) { <-drop },
		func(p *wiretest.Peer) { frames <- p.Receive(); p.UntilGone() })
	c, _, _ := start(t, url, conn.Config{Reconnect: soon})

	var sessions []*conn.Session
	require.NoError(t, c.Do(t.Context(), func(ctx context.Context, s *conn.Session) error {
		sessions = append(sessions, s)
		if len(sessions) == 1 {
			close(drop)
			<-s.Context().Done()
		}
		return s.Emit(ctx, "hello")
	}))
	assert.Equal(t, `42["hello"]`, wiretest.ReceiveFrom(t, frames))
	require.Len(t, sessions, 2)
	assert.NotSame(t, sessions[0], sessions[1])
	assert.ErrorIs(t, sessions[0].Emit(t.Context(), "late"), conn.ErrSessionLost)
}

func TestDo_returnsErrorOfFunction(t *testing.T) {
	url := wiretest.Serve(t, func(p *wiretest.Peer) { p.Welcome(); p.UntilGone() })
	c, _, _ := start(t, url, conn.Config{Reconnect: soon})
	for name, want := range map[string]error{
		"another error": errors.New("no session is at fault"),
		"maybe sent":    &conn.SendError{Event: "e", MaybeSent: true, Err: conn.ErrSessionLost},
		"no error":      nil,
	} {
		t.Run(name, func(t *testing.T) {
			calls := 0
			err := c.Do(t.Context(), func(context.Context, *conn.Session) error {
				calls++
				return want
			})
			assert.Equal(t, want, err)
			assert.Equal(t, 1, calls)
		})
	}
}

func TestDo_returnsWhenContextEndsBeforeReady(t *testing.T) {
	c, err := conn.New("http://localhost", conn.Config{})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	assert.ErrorIs(t, c.Do(ctx, func(context.Context, *conn.Session) error { panic("not called") }), context.Canceled)
	require.NoError(t, c.Close())
	assert.Equal(t, conn.ErrClosed, c.Do(t.Context(), func(context.Context, *conn.Session) error { panic("not called") }))
}

func TestSession_isNilUnlessReady(t *testing.T) {
	url := wiretest.Serve(t, func(p *wiretest.Peer) { p.Welcome(); p.UntilGone() })
	c, err := conn.New(url, conn.Config{})
	require.NoError(t, err)
	assert.Nil(t, c.Session())
	ended, cancel := wiretest.Run(t, c)
	require.NoError(t, c.Ready(t.Context()))
	require.NotNil(t, c.Session())
	assert.Equal(t, "socket-1", c.Session().ID())
	cancel()
	require.NoError(t, wiretest.ReceiveFrom(t, ended))
	assert.Nil(t, c.Session())
}

// shutDown begins a Shutdown, and returns when new work is rejected.
func shutDown(t *testing.T, c *conn.Conn) (down <-chan error) {
	t.Helper()
	ended := make(chan error, 1)
	go func() { ended <- c.Shutdown(t.Context()) }()
	for !errors.Is(c.TryEmit("probe"), conn.ErrClosed) {
		runtime.Gosched()
	}
	return ended
}

func TestShutdown_allowsWorkToBeginMoreWork(t *testing.T) {
	url := wiretest.Serve(t, func(p *wiretest.Peer) {
		p.Welcome()
		for {
			switch frame := p.Receive(); frame {
			case "":
				return
			case `420["call"]`, `421["call"]`:
				p.Send("43" + frame[2:3] + `["reply"]`)
			case `42["tool please"]`:
				p.Send(`427["tool"]`)
			}
		}
	})
	c, ended, _ := start(t, url, conn.Config{})
	require.NoError(t, c.Ready(t.Context()))

	use := func(t *testing.T, ctx context.Context) {
		t.Helper()
		assert.NoError(t, c.Emit(ctx, "emit"))
		reply, err := conn.Call[string](ctx, c, "call")
		assert.NoError(t, err)
		assert.Equal(t, "reply", reply)
		assert.NoError(t, c.Do(ctx, func(ctx context.Context, s *conn.Session) error { return s.Emit(ctx, "do") }))
	}
	handled, handling := make(chan struct{}), make(chan struct{})
	conn.Handle(c, "tool", func(ctx context.Context, _ any) (any, error) {
		close(handling)
		<-handled
		use(t, ctx)
		return nil, nil
	})
	held, release, err := c.Hold(t.Context())
	require.NoError(t, err)
	require.NoError(t, c.Emit(t.Context(), "tool please"))
	wiretest.ReceiveFrom(t, closed(handling))

	down := shutDown(t, c)
	assert.ErrorIs(t, c.Emit(t.Context(), "new"), conn.ErrClosed)
	use(t, held)
	release()
	release() // again has no effect
	assert.ErrorIs(t, c.Emit(held, "over"), conn.ErrClosed, "the work has ended")
	assert.Empty(t, down, "the handler still runs")
	close(handled)
	assert.NoError(t, wiretest.ReceiveFrom(t, down))
	assert.NoError(t, wiretest.ReceiveFrom(t, ended))
}

// closed returns a channel that receives a value when ch is closed.
func closed(ch <-chan struct{}) <-chan bool {
	values := make(chan bool, 1)
	go func() { <-ch; values <- true }() // ends with the test at the latest, when ch closes
	return values
}

func TestHold_belongsToItsOwnConnection(t *testing.T) {
	one, err := conn.New("http://localhost", conn.Config{})
	require.NoError(t, err)
	other, err := conn.New("http://localhost", conn.Config{})
	require.NoError(t, err)
	held, release, err := one.Hold(t.Context())
	require.NoError(t, err)
	defer release()
	_, releaseOther, err := other.Hold(t.Context())
	require.NoError(t, err)
	down := shutDown(t, other)
	_, _, err = other.Hold(held)
	assert.ErrorIs(t, err, conn.ErrClosed)
	releaseOther()
	assert.NoError(t, wiretest.ReceiveFrom(t, down))
}

func TestEpoch_growsUnlessSessionIsResumed(t *testing.T) {
	const mine, other = `40{"sid":"a","pid":"mine"}`, `40{"sid":"b","pid":"other"}`
	replies := []string{mine, mine, other, other, `40{"sid":"c"}`}
	var n atomic.Int32
	url := wiretest.Serve(t, func(p *wiretest.Peer) {
		at := min(int(n.Add(1)), len(replies)) - 1
		p.Send(wiretest.OpenPacket)
		p.Receive()
		p.Send(replies[at])
		p.Send(`42["n",1,"offset"]`)
		switch {
		case at == 2: // lost before Ready
			p.Receive()
		case at < len(replies)-1:
			p.Receive()
		default:
			p.UntilGone()
		}
	})
	connected := make(chan *conn.Session, 10)
	c, err := conn.New(url, conn.Config{Reconnect: soon, OnConnect: func(ctx context.Context, s *conn.Session) error {
		connected <- s
		if s.ID() == "b" && !s.Recovered() {
			_ = s.Emit(ctx, "cut") // the server leaves
			<-ctx.Done()
			return ctx.Err()
		}
		return nil
	}})
	require.NoError(t, err)
	assert.Zero(t, c.State().Epoch)
	epochs := &listener{epochs: make(chan uint64, 10)}
	c.UpdateRoutes(nil, []conn.Route{{Name: "n", Listener: epochs}})
	states := c.States.Subscribe(t.Context(), bus.Filter(func(s conn.State) bool { return s.Phase == conn.Connected })).C()
	wiretest.Run(t, c)

	for i, want := range []uint64{1, 1, 2, 2, 3} {
		assert.Equal(t, want, wiretest.ReceiveFrom(t, connected).Epoch(), "session %d", i)
		assert.Equal(t, want, wiretest.ReceiveFrom(t, states).Epoch, "session %d", i)
		assert.Equal(t, want, wiretest.ReceiveFrom(t, epochs.epochs), "session %d", i)
		if i != 2 {
			require.NoError(t, c.Ready(t.Context()))
			assert.Equal(t, want, c.State().Epoch)
		}
		if i != 2 && i < 4 {
			require.NoError(t, c.Emit(t.Context(), "cut"))
		}
	}
}

// listener records the epochs of events.
type listener struct{ epochs chan uint64 }

func (l *listener) Active() bool { return true }
func (l *listener) Close()       {}

func (l *listener) Receive(_ context.Context, p conn.Payload) error {
	l.epochs <- p.Epoch()
	return nil
}

func TestState_changesSinceOnlyWithReady(t *testing.T) {
	drop := make(chan struct{})
	url, _ := connects(t, `40{"sid":"socket-1"}`,
		func(p *wiretest.Peer) { <-drop },
		func(p *wiretest.Peer) { p.UntilGone() })
	c, err := conn.New(url, conn.Config{Reconnect: soon})
	require.NoError(t, err)
	states := c.States.Chan(t.Context())
	wiretest.Run(t, c)
	var all []conn.State
	for ready := 0; ready < 2; {
		s := wiretest.ReceiveFrom(t, states)
		all = append(all, s)
		if s.Phase == conn.Ready {
			if ready++; ready == 1 {
				close(drop)
			}
		}
	}
	require.Len(t, all, 7, "connecting, connected, ready, waiting, connecting, connected, ready")
	for i, s := range all {
		require.False(t, s.Since.IsZero())
		if i > 0 && (s.Phase == conn.Ready) == (all[i-1].Phase == conn.Ready) {
			assert.Equal(t, all[i-1].Since, s.Since, "%v", s)
		} else if i > 0 {
			assert.False(t, s.Since.Before(all[i-1].Since), "%v", s)
		}
	}
	assert.Equal(t, all[6], c.State())
}
