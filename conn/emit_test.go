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
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestEmitWaitsUntilReady(t *testing.T) {
	frames := make(chan string)
	c, err := conn.New(serveRaw(t, func(p *peer) { p.welcome(); frames <- p.receive(); p.untilGone() }), conn.Config{})
	require.NoError(t, err)
	sent := make(chan error, 1)
	go func() { sent <- c.Emit(t.Context(), "early", json.RawMessage(`{"raw": 1}`)) }()
	run(t, c)
	assert.Equal(t, `42["early",{"raw":1}]`, receiveFrom(t, frames))
	assert.NoError(t, receiveFrom(t, sent))
}

func TestAFailedEmitSaysWhetherItMayHaveBeenSent(t *testing.T) {
	c, err := conn.New("http://127.0.0.1:1", conn.Config{})
	require.NoError(t, err)
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()

	err = c.Emit(ctx, "hi")
	assert.ErrorIs(t, err, context.DeadlineExceeded)
	assert.EqualError(t, err, `conn: event "hi" not sent: context deadline exceeded`)

	err = c.Emit(t.Context(), "hi", make(chan int))
	var failed *conn.SendError
	require.ErrorAs(t, err, &failed)
	assert.False(t, failed.MaybeSent)

	err = c.Emit(t.Context(), "disconnect")
	assert.EqualError(t, err, `conn: event "disconnect" not sent: the name is reserved`)
}

func TestConcurrentEmitsEachArriveOnce(t *testing.T) {
	const senders, each = 8, 50
	got := make(chan map[string]int, 1)
	url := serveRaw(t, func(p *peer) {
		p.welcome()
		seen := map[string]int{}
		for range senders * each {
			seen[p.receive()]++
		}
		got <- seen
		p.untilGone()
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
	seen := receiveFrom(t, got)
	assert.Len(t, seen, senders*each)
	assert.Equal(t, 1, seen[`42["n",7,49]`])
}

func TestCallGetsItsOwnAcknowledgement(t *testing.T) {
	url := serveRaw(t, func(p *peer) {
		p.welcome()
		first, second := p.receive(), p.receive()
		p.send(`43999["nobody asked"]`)
		// Answered in the opposite order.
		for _, frame := range []string{second, first} {
			var id, n int
			_, _ = fmt.Sscanf(frame, `42%d["echo",%d]`, &id, &n)
			p.send(fmt.Sprintf(`43%d[{"n":%d},"second argument"]`, id, n))
		}
		var id int
		_, _ = fmt.Sscanf(p.receive(), `42%d`, &id)
		p.send(fmt.Sprintf(`43%d[]`, id))
		_, _ = fmt.Sscanf(p.receive(), `42%d`, &id)
		p.send(fmt.Sprintf(`43%d["a",2]`, id))
		_, _ = fmt.Sscanf(p.receive(), `42%d`, &id)
		p.send(fmt.Sprintf(`43%d["a"]`, id))
		p.untilGone()
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

func TestALateAcknowledgementReachesNobody(t *testing.T) {
	release := make(chan struct{})
	url := serveRaw(t, func(p *peer) {
		p.welcome()
		p.receive() // 420["slow"]
		<-release
		p.send(`430["late"]`)
		p.receive() // 421["quick"]
		p.send(`431["on time"]`)
		p.untilGone()
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

func TestACallWhoseSessionIsLostSaysSo(t *testing.T) {
	url := serveRaw(t, func(p *peer) { p.welcome(); p.receive() })
	c, _, _ := start(t, url, conn.Config{Reconnect: soon})
	_, err := conn.Call[string](t.Context(), c, "cut")
	var failed *conn.SendError
	require.ErrorAs(t, err, &failed)
	assert.True(t, failed.MaybeSent)
	assert.ErrorIs(t, err, conn.ErrSessionLost)
}

func TestHandleAcknowledgesTheServersEvents(t *testing.T) {
	frames := make(chan string, 4)
	url := serveRaw(t, func(p *peer) {
		p.welcome()
		p.receive() // "go"
		p.send(`427["add",{"a":1,"b":2}]`)
		frames <- p.receive()
		p.send(`428["add",{"a":-1}]`)
		frames <- p.receive()
		p.send(`42["add",{"a":5}]`) // wants no answer
		p.send(`429["add","no object"]`)
		p.receive() // "removed"
		p.send(`4210["add",{"a":1}]`)
		p.send(`42["end"]`)
		frames <- fmt.Sprint(p.untilGone())
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
	ends := conn.Topic[any](c, "end").Chan(t.Context())
	require.NoError(t, c.Emit(t.Context(), "go"))

	assert.Equal(t, `437[3]`, receiveFrom(t, frames))
	assert.Equal(t, `438[{"error":"negative"}]`, receiveFrom(t, frames))
	assert.Equal(t, "add", receiveFrom(t, failures).Event)
	for _, want := range []int{1, -1, 5} {
		assert.Equal(t, want, receiveFrom(t, called))
	}
	stop()
	require.NoError(t, c.Emit(t.Context(), "removed"))
	receiveFrom(t, ends)
	cancel()
	assert.Equal(t, `[41]`, receiveFrom(t, frames), "a removed handler answers nothing")
	assert.Empty(t, called)
}

func TestEventsOfALostSessionAreNotHandled(t *testing.T) {
	url := serveRaw(t, func(p *peer) {
		p.welcome()
		for range 400 {
			p.send(`42["tool"]`)
		}
		p.send(`41`)
		p.untilGone()
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
			<-ctx.Done() // 64 of them keep the rest waiting until the session has ended
		}
		return nil, nil
	})()
	ended, _ := run(t, c)
	assert.ErrorIs(t, receiveFrom(t, ended), conn.ErrDisconnected)
	close(over)
	c.Close()
	busy.Wait()
	assert.Zero(t, late.Load())
}

func TestAHandlersContextEndsWithTheSession(t *testing.T) {
	url := serveRaw(t, func(p *peer) { p.welcome(); p.send(`421["wait"]`); p.receive() })
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
	run(t, c)
	assert.ErrorIs(t, receiveFrom(t, ended), context.Canceled)
}

func TestTryEmitSendsNowOrNever(t *testing.T) {
	frames := make(chan string, 1)
	url := serveRaw(t, func(p *peer) { p.welcome(); frames <- p.receive(); p.untilGone() })
	c, err := conn.New(url, conn.Config{})
	require.NoError(t, err)
	err = c.TryEmit("volatile", 1)
	assert.ErrorIs(t, err, conn.ErrNotReady)
	assert.EqualError(t, err, `conn: event "volatile" not sent: conn: not ready to send`)
	assert.Error(t, c.TryEmit("connect"), "reserved")

	run(t, c)
	require.NoError(t, c.Ready(t.Context()))
	require.NoError(t, c.TryEmit("volatile", 2))
	assert.Equal(t, `42["volatile",2]`, receiveFrom(t, frames), "the first one was dropped")
	require.NoError(t, c.Close())
	assert.ErrorIs(t, c.TryEmit("volatile", 3), conn.ErrClosed)
}

// The server reads nothing: what the kernel does not take stays in the queue.
func TestAFullQueueMakesEmitWaitAndTryEmitDrop(t *testing.T) {
	enough := make(chan struct{})
	url := serveRaw(t, func(p *peer) { p.welcome(); <-enough })
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

func TestAHandlersErrorSaysWhatTheServerGets(t *testing.T) {
	acks := make(chan string, 3)
	url := serveRaw(t, func(p *peer) {
		p.welcome()
		p.receive()
		for n := range 3 {
			p.send(fmt.Sprintf(`42%d["try",%d]`, n, n))
			acks <- p.receive()
		}
		p.untilGone()
	})
	c, _, _ := start(t, url, conn.Config{})
	cause := errors.New("out of stock")
	chosen := &conn.ReplyError{Reply: map[string]int{"code": 7}, Err: cause}
	assert.ErrorIs(t, chosen, cause)
	defer conn.Handle(c, "try", func(_ context.Context, n int) (string, error) {
		return "", []error{cause, fmt.Errorf("wrapped: %w", chosen), &conn.ReplyError{Reply: make(chan int)}}[n]
	})()
	require.NoError(t, c.Emit(t.Context(), "go"))
	assert.Equal(t, `430[{"error":"out of stock"}]`, receiveFrom(t, acks))
	assert.Equal(t, `431[{"code":7}]`, receiveFrom(t, acks))
	assert.Contains(t, receiveFrom(t, acks), "marshal from Go chan int")
}
