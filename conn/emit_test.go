package conn_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestEmit_waitsUntilReady(t *testing.T) {
	frames := make(chan string)
	c, err := conn.New(wiretest.Serve(t, func(p *wiretest.Peer) { p.Welcome(); frames <- p.Receive(); p.UntilGone() }), conn.Config{})
	require.NoError(t, err)
	sent := make(chan error, 1)
	go func() { sent <- c.Emit(t.Context(), "early", json.RawMessage(`{"raw": 1}`)) }()
	wiretest.Run(t, c)
	assert.Equal(t, `42["early",{"raw": 1}]`, wiretest.ReceiveFrom(t, frames))
	assert.NoError(t, wiretest.ReceiveFrom(t, sent))
}

func TestEmit_returnsSendErrorWhenNotSent(t *testing.T) {
	c, err := conn.New("http://127.0.0.1:1", conn.Config{})
	require.NoError(t, err)
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()

	err = c.Emit(ctx, "hi")
	assert.ErrorIs(t, err, context.DeadlineExceeded)
	assert.EqualError(t, err, `conn: event "hi" not sent (Run is not running): context deadline exceeded`)

	err = c.Emit(t.Context(), "hi", make(chan int))
	var failed *conn.SendError
	require.ErrorAs(t, err, &failed)
	assert.False(t, failed.MaybeSent)

	err = c.Emit(t.Context(), "disconnect")
	assert.EqualError(t, err, `conn: event "disconnect" not sent: the name is reserved`)
}

func TestEmit_sendsConcurrentEventsOnce(t *testing.T) {
	const senders, each = 8, 50
	got := make(chan map[string]int, 1)
	url := wiretest.Serve(t, func(p *wiretest.Peer) {
		p.Welcome()
		seen := map[string]int{}
		for range senders * each {
			seen[p.Receive()]++
		}
		got <- seen
		p.UntilGone()
	})
	c, _, _ := start(t, url, conn.Config{})
	var all sync.WaitGroup
	for sender := range senders {
		all.Go(func() {
			for n := range each {
				assert.NoError(t, c.Emit(t.Context(), "n", sender, n))
			}
		})
	}
	all.Wait()
	seen := wiretest.ReceiveFrom(t, got)
	assert.Len(t, seen, senders*each)
	assert.Equal(t, 1, seen[`42["n",7,49]`])
}

func TestCall_returnsMatchingAcknowledgement(t *testing.T) {
	url := wiretest.Serve(t, func(p *wiretest.Peer) {
		p.Welcome()
		first, second := p.Receive(), p.Receive()
		p.Send(`43999["no such call"]`)
		// Acknowledge in the opposite order.
		for _, frame := range []string{second, first} {
			var id, n int
			_, _ = fmt.Sscanf(frame, `42%d["echo",%d]`, &id, &n)
			p.Send(fmt.Sprintf(`43%d[{"n":%d},"second argument"]`, id, n))
		}
		var id int
		_, _ = fmt.Sscanf(p.Receive(), `42%d`, &id)
		p.Send(fmt.Sprintf(`43%d[]`, id))
		_, _ = fmt.Sscanf(p.Receive(), `42%d`, &id)
		p.Send(fmt.Sprintf(`43%d["a",2]`, id))
		_, _ = fmt.Sscanf(p.Receive(), `42%d`, &id)
		p.Send(fmt.Sprintf(`43%d["a"]`, id))
		p.UntilGone()
	})
	c, _, _ := start(t, url, conn.Config{})
	type reply struct{ N int }
	var both sync.WaitGroup
	for n := range 2 {
		both.Go(func() {
			got, err := conn.Call[map[string]int](t.Context(), c, "echo", n)
			assert.NoError(t, err)
			assert.Equal(t, map[string]int{"n": n}, got)
		})
	}
	both.Wait()

	empty, err := conn.Call[*reply](t.Context(), c, "nothing back")
	require.NoError(t, err)
	assert.Nil(t, empty)

	args, err := conn.Call[conn.Args](t.Context(), c, "all arguments")
	require.NoError(t, err)
	assert.Equal(t, conn.Args{json.RawMessage(`"a"`), json.RawMessage(`2`)}, args)

	_, err = conn.Call[int](t.Context(), c, "wrong type")
	var decode *conn.DecodeError
	require.ErrorAs(t, err, &decode)
	assert.Equal(t, `["a"]`, string(decode.Raw))
}

func TestCall_ignoresLateAcknowledgement(t *testing.T) {
	release := make(chan struct{})
	url := wiretest.Serve(t, func(p *wiretest.Peer) {
		p.Welcome()
		p.Receive() // 420["slow"]
		<-release
		p.Send(`430["late"]`)
		p.Receive() // 421["quick"]
		p.Send(`431["on time"]`)
		p.UntilGone()
	})
	c, _, _ := start(t, url, conn.Config{})
	require.NoError(t, c.Ready(t.Context()))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := conn.Call[string](ctx, c, "slow")
	var failed *conn.SendError
	require.ErrorAs(t, err, &failed)
	assert.True(t, failed.MaybeSent)
	assert.ErrorIs(t, err, context.DeadlineExceeded)
	close(release)

	got, err := conn.Call[string](t.Context(), c, "quick")
	require.NoError(t, err)
	assert.Equal(t, "on time", got, "a caller's deadline bounds its call, and breaks nothing")
}

func TestCall_failsWhenSessionIsLost(t *testing.T) {
	url := wiretest.Serve(t, func(p *wiretest.Peer) { p.Welcome(); p.Receive() })
	c, _, _ := start(t, url, conn.Config{Reconnect: soon})
	_, err := conn.Call[string](t.Context(), c, "cut")
	var failed *conn.SendError
	require.ErrorAs(t, err, &failed)
	assert.True(t, failed.MaybeSent)
	assert.ErrorIs(t, err, conn.ErrSessionLost)
}

func TestHandle_acknowledgesEventsUntilStopped(t *testing.T) {
	frames := make(chan string, 4)
	url := wiretest.Serve(t, func(p *wiretest.Peer) {
		p.Welcome()
		p.Receive() // "go"
		p.Send(`427["add",{"a":1,"b":2}]`)
		frames <- p.Receive()
		p.Send(`428["add",{"a":-1}]`)
		frames <- p.Receive()
		p.Send(`42["add",{"a":5}]`) // asks for no acknowledgement
		p.Send(`429["add","no object"]`)
		frames <- p.Receive()
		p.Receive() // "removed"
		p.Send(`4210["add",{"a":1}]`)
		p.Send(`42["end"]`)
		frames <- fmt.Sprint(p.UntilGone())
	})
	type sum struct{ A, B int }
	c, _, cancel := start(t, url, conn.Config{})
	called := make(chan int, 8)
	stop := conn.Handle(c, "add", func(ctx context.Context, s sum) (int, error) {
		called <- s.A
		if s.A < 0 {
			return 0, errors.New("negative")
		}
		return s.A + s.B, nil
	})
	failures := c.DecodeErrors.Chan(t.Context())
	ends := conn.On[any](c, "end").Chan(t.Context())
	require.NoError(t, c.Emit(t.Context(), "go"))

	assert.Equal(t, `437[3]`, wiretest.ReceiveFrom(t, frames))
	assert.Equal(t, `438[{"error":"negative"}]`, wiretest.ReceiveFrom(t, frames))
	assert.Equal(t, "add", wiretest.ReceiveFrom(t, failures).Event)
	assert.Contains(t, wiretest.ReceiveFrom(t, frames), `439[{"error":"conn: event \"add\": `)
	for _, want := range []int{1, -1, 5} {
		assert.Equal(t, want, wiretest.ReceiveFrom(t, called))
	}
	stop()
	require.NoError(t, c.Emit(t.Context(), "removed"))
	wiretest.ReceiveFrom(t, ends)
	cancel()
	assert.Equal(t, `[41]`, wiretest.ReceiveFrom(t, frames), "a removed handler answers nothing")
	assert.Empty(t, called)
}

func TestHandle_dropsPendingEventsWhenSessionEnds(t *testing.T) {
	url := wiretest.Serve(t, func(p *wiretest.Peer) {
		p.Welcome()
		for range 400 {
			p.Send(`42["tool"]`)
		}
		p.Send(`41`)
		p.UntilGone()
	})
	c, err := conn.New(url, conn.Config{})
	require.NoError(t, err)
	over := make(chan struct{})
	var late atomic.Int32
	var busy sync.WaitGroup
	defer conn.Handle(c, "tool", func(ctx context.Context, _ any) (any, error) {
		busy.Add(1)
		defer busy.Done()
		select {
		case <-over:
			late.Add(1)
		default:
			<-ctx.Done() // 64 calls make the others wait until the session ends
		}
		return nil, nil
	})()
	ended, _ := wiretest.Run(t, c)
	assert.ErrorIs(t, wiretest.ReceiveFrom(t, ended), conn.ErrDisconnected)
	close(over)
	c.Close()
	busy.Wait()
	assert.Zero(t, late.Load())
}

func TestHandle_cancelsContextWhenSessionEnds(t *testing.T) {
	url := wiretest.Serve(t, func(p *wiretest.Peer) { p.Welcome(); p.Send(`421["wait"]`); p.Receive() })
	c, err := conn.New(url, conn.Config{Reconnect: soon})
	require.NoError(t, err)
	ended := make(chan error, 1)
	var once sync.Once
	defer conn.Handle(c, "wait", func(ctx context.Context, _ any) (any, error) {
		once.Do(func() {
			_ = c.Emit(context.Background(), "cut me")
			<-ctx.Done()
			ended <- ctx.Err()
		})
		return nil, nil
	})()
	wiretest.Run(t, c)
	assert.ErrorIs(t, wiretest.ReceiveFrom(t, ended), context.Canceled)
}

func TestTryEmit_sendsOnlyWhenReady(t *testing.T) {
	frames := make(chan string, 1)
	url := wiretest.Serve(t, func(p *wiretest.Peer) { p.Welcome(); frames <- p.Receive(); p.UntilGone() })
	c, err := conn.New(url, conn.Config{})
	require.NoError(t, err)
	err = c.TryEmit("volatile", 1)
	assert.ErrorIs(t, err, conn.ErrNotReady)
	assert.EqualError(t, err, `conn: event "volatile" not sent: conn: not ready`)
	assert.Error(t, c.TryEmit("connect"), "reserved")

	wiretest.Run(t, c)
	require.NoError(t, c.Ready(t.Context()))
	require.NoError(t, c.TryEmit("volatile", 2))
	assert.Equal(t, `42["volatile",2]`, wiretest.ReceiveFrom(t, frames), "the first one was dropped")
	require.NoError(t, c.Close())
	assert.ErrorIs(t, c.TryEmit("volatile", 3), conn.ErrClosed)
}

// The server reads nothing, so packets that the kernel does not accept stay in
// the queue.
func TestMaxQueue_blocksEmitAndFailsTryEmit(t *testing.T) {
	enough := make(chan struct{})
	url := wiretest.Serve(t, func(p *wiretest.Peer) { p.Welcome(); <-enough })
	defer close(enough)
	c, _, _ := start(t, url, conn.Config{MaxQueue: 2})
	require.NoError(t, c.Ready(t.Context()))
	large := strings.Repeat("x", 1<<20)
	for c.TryEmit("large", large) == nil {
	}
	assert.ErrorIs(t, c.TryEmit("small"), conn.ErrNotReady)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := c.Emit(ctx, "small")
	var failed *conn.SendError
	require.ErrorAs(t, err, &failed)
	assert.ErrorIs(t, err, context.Canceled)
	assert.False(t, failed.MaybeSent, "it never left the queue's door")
}

func TestHandle_sendsErrorAsAcknowledgement(t *testing.T) {
	acks := make(chan string, 3)
	url := wiretest.Serve(t, func(p *wiretest.Peer) {
		p.Welcome()
		p.Receive()
		for n := range 3 {
			p.Send(fmt.Sprintf(`42%d["try",%d]`, n, n))
			acks <- p.Receive()
		}
		p.UntilGone()
	})
	c, _, _ := start(t, url, conn.Config{})
	cause := errors.New("out of stock")
	chosen := &conn.ReplyError{Reply: map[string]int{"code": 7}, Err: cause}
	assert.ErrorIs(t, chosen, cause)
	defer conn.Handle(c, "try", func(_ context.Context, n int) (string, error) {
		return "", []error{cause, fmt.Errorf("wrapped: %w", chosen), &conn.ReplyError{Reply: make(chan int)}}[n]
	})()
	require.NoError(t, c.Emit(t.Context(), "go"))
	assert.Equal(t, `430[{"error":"out of stock"}]`, wiretest.ReceiveFrom(t, acks))
	assert.Equal(t, `431[{"code":7}]`, wiretest.ReceiveFrom(t, acks))
	assert.Contains(t, wiretest.ReceiveFrom(t, acks), "marshal from Go chan int")
}
