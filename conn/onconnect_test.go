package conn_test

import (
	"context"
	"errors"
	"testing"

	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/seed67206a74/parley/reconnect"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestOnConnect_runsBeforePendingEmits(t *testing.T) {
	frames := make(chan string, 4)
	url := wiretest.Serve(t, func(p *wiretest.Peer) {
		p.Welcome()
		frames <- p.Receive()
		frames <- p.Receive()
		p.Send(`430[{"names":"new"}]`)
		frames <- p.Receive()
		frames <- p.Receive()
		p.UntilGone()
	})
	c, err := conn.New(url, conn.Config{
		OnConnect: func(ctx context.Context, s *conn.Session) error {
			assert.Equal(t, "socket-1", s.ID())
			assert.False(t, s.Recovered())
			require.NoError(t, s.Emit(ctx, "hello"))
			var reply map[string]string
			require.NoError(t, s.Call(ctx, &reply, "ask"))
			assert.Equal(t, map[string]string{"names": "new"}, reply)
			return s.Emit(ctx, "join", 1)
		},
	})
	require.NoError(t, err)
	go c.Emit(t.Context(), "early")
	wiretest.Run(t, c)
	for _, want := range []string{`42["hello"]`, `420["ask"]`, `42["join",1]`, `42["early"]`} {
		assert.Equal(t, want, wiretest.ReceiveFrom(t, frames))
	}
}

func TestOnConnect_retriesUnlessErrorIsPermanent(t *testing.T) {
	url := wiretest.Serve(t, func(p *wiretest.Peer) { p.Welcome(); p.UntilGone() })
	full, closed := errors.New("full"), errors.New("closed")
	times := 0
	c, ended, _ := start(t, url, conn.Config{Reconnect: soon, OnConnect: func(context.Context, *conn.Session) error {
		if times++; times < 3 {
			return full
		}
		return reconnect.Permanent(closed)
	}})
	err := wiretest.ReceiveFrom(t, ended)
	var failed *conn.OnConnectError
	require.ErrorAs(t, err, &failed)
	assert.ErrorIs(t, err, closed)
	assert.Equal(t, 3, times)
	assert.ErrorIs(t, c.Emit(t.Context(), "x"), closed)
}

func TestOnConnect_cancelsContextWhenSessionEnds(t *testing.T) {
	cut := make(chan struct{})
	url := wiretest.Serve(t, func(p *wiretest.Peer) { p.Welcome(); <-cut })
	called := make(chan struct{}, 100)
	c, ended, cancel := start(t, url, conn.Config{Reconnect: soon, OnConnect: func(ctx context.Context, s *conn.Session) error {
		called <- struct{}{}
		<-ctx.Done()
		err := s.Emit(ctx, "too late")
		assert.Error(t, err)
		return err
	}})
	wiretest.ReceiveFrom(t, called)
	close(cut)
	wiretest.ReceiveFrom(t, called)
	cancel()
	assert.NoError(t, wiretest.ReceiveFrom(t, ended))
	assert.Equal(t, conn.Stopped, c.State().Phase)
}
