package chat

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestShutdown_waitsForOpenStreams(t *testing.T) {
	onWire(t, Config{Stream: StreamConfig{Resume: func(context.Context, *Stream) error { return nil }}}, func(t *testing.T, w wire, client *Client, l *link) {
		HandleTool(client, "search", find)
		s, err := client.Ask(t.Context(), Question{UserID: user, RequestID: "r1"})
		require.NoError(t, err)
		<-l.out
		down := make(chan error, 1)
		go func() { down <- client.Shutdown(t.Context()) }() // ends with the answer
		synctest.Wait()

		_, err = client.Ask(t.Context(), Question{UserID: user, RequestID: "r2"})
		assert.ErrorIs(t, err, conn.ErrClosed, "nothing begins any more")
		assert.ErrorIs(t, client.SendMessage(t.Context(), message("m1")), conn.ErrClosed)

		l.send(`421["ai:tool_call",{"callId":"c","toolName":"search","args":{},"requestId":"r1"}]`)
		assert.Equal(t, `431[{"found":["","0"]}]`, <-l.out, "what the answer needs is part of it")
		l.send(`422["ai:tool_call",{"callId":"c","toolName":"search","args":{},"requestId":"another"}]`)
		l.cut() // even over a reconnect
		l = w.accept("")
		<-l.out // the join
		l.send(tokenFrame("r1", 0, "x"), finalFrame("r1", "x"))
		_, err = s.Wait()
		assert.NoError(t, err)
		assert.NoError(t, <-down)
		assert.ErrorIs(t, client.Ready(t.Context()), conn.ErrClosed)
	})
}

// The rule of Shutdown, for each method that sends: a call that has begun is
// finished. A call with the ctx of work in progress begins. Any other call
// fails with ErrClosed.
func TestShutdown_followsOneRuleForAllMethods(t *testing.T) {
	for method := range sendingMethods(nil, room2) {
		t.Run(method+" waits for Ready", func(t *testing.T) {
			testShutdown(t, method, func(t *testing.T, w wire, _ *Client) (accept func() *link) {
				return func() *link { return w.accept("") }
			})
		})
		t.Run(method+" waits for an answer", func(t *testing.T) {
			testShutdown(t, method, func(t *testing.T, w wire, client *Client) (accept func() *link) {
				l := w.accept("")
				require.NoError(t, client.Ready(t.Context()))
				return func() *link { return l }
			})
		})
	}
}

// testShutdown calls the method before Shutdown, twice at a time, and during
// Shutdown. The backend answers when all of these calls wait.
func testShutdown(t *testing.T, method string, begin func(t *testing.T, w wire, client *Client) (accept func() *link)) {
	synctest.Test(t, func(t *testing.T) {
		w := make(wire)
		client := w.client(t, Config{NoJoin: true, ChatID: room1, JoinTimeout: time.Hour})
		_, stop := wiretest.Run(t, client)
		defer stop()
		accept := begin(t, w, client)
		call := func(ctx context.Context, room events.ID) error { return sendingMethods(client, room)[method](ctx) }

		begun := make(chan error, 3)
		for range 2 { // one may wait for the other
			go func() { begun <- call(t.Context(), room2) }() // ends with the answer
		}
		held, release, err := client.conn.Hold(t.Context())
		require.NoError(t, err)
		synctest.Wait()
		down := make(chan error, 1)
		go func() { down <- client.Shutdown(t.Context()) }() // ends with the calls
		synctest.Wait()
		assert.ErrorIs(t, call(t.Context(), room2), conn.ErrClosed)
		assert.ErrorIs(t, client.TypingStart(t.Context(), user), conn.ErrClosed)
		go func() { begun <- call(held, events.IntID(3)) }() // likewise
		synctest.Wait()
		assert.Empty(t, down)

		serveWire(accept())
		for range 3 {
			assert.NoError(t, <-begun)
		}
		synctest.Wait()
		assert.Empty(t, down, "work is still held")
		release()
		assert.NoError(t, <-down)
		assert.ErrorIs(t, call(held, room2), conn.ErrClosed)
	})
}

func TestShutdown_abortsStreamsWhenContextEnds(t *testing.T) {
	onWire(t, Config{}, func(t *testing.T, w wire, client *Client, l *link) {
		s, err := client.Ask(t.Context(), Question{UserID: user, RequestID: "r1"})
		require.NoError(t, err)
		<-l.out
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		assert.ErrorIs(t, client.Shutdown(ctx), context.DeadlineExceeded)
		assert.Equal(t, 10*time.Second, time.Since(start))
		_, err = s.Wait()
		assert.ErrorIs(t, err, ErrStopped)
		assert.Equal(t, `42["ai:abort",{"chatId":"room-1","requestId":"r1"}]`, <-l.out)
		assert.Equal(t, "41", <-l.out)
	})
}

func TestShutdown_closesIdleClient(t *testing.T) {
	onWire(t, Config{}, func(t *testing.T, w wire, client *Client, l *link) {
		assert.NoError(t, client.Shutdown(t.Context()))
		assert.NoError(t, client.Shutdown(t.Context()))
		assert.ErrorIs(t, client.Run(t.Context()), conn.ErrClosed)
	})
}

func TestStats_reportsStreamsDeliveriesAndTopics(t *testing.T) {
	onWire(t, Config{}, func(t *testing.T, w wire, client *Client, l *link) {
		sub := client.Tokens.Subscribe(t.Context())
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		for _, id := range []string{"r1", "r2", "r3"} {
			_, err := client.Ask(ctx, Question{UserID: user, RequestID: id})
			require.NoError(t, err)
			<-l.out
		}
		done := delivering(t.Context(), client, "m1")
		<-l.out
		l.send(tokenFrame("r1", 0, "x"), finalFrame("r1", "x"), `42["ai:error",{"requestId":"r2","message":"no"}]`)
		synctest.Wait()

		stats := client.Stats()
		assert.EqualValues(t, 1, stats.Answered)
		assert.EqualValues(t, 1, stats.Failed)
		assert.Equal(t, 1, stats.Open)
		assert.Equal(t, 1, stats.Delivering)
		assert.Zero(t, stats.Tools)
		assert.Equal(t, 1, stats.Conn.Waiting, "the acknowledgement of the delivery")
		assert.EqualValues(t, 3, stats.Conn.Received)
		assert.Equal(t, 1, stats.Topics["Tokens"].Subscriptions)
		assert.Equal(t, 1, stats.Topics["Tokens"].Total.Pending)
		<-sub.C()
		assert.EqualValues(t, 1, client.Stats().Topics["Tokens"].Total.Delivered)
		assert.NoError(t, client.Health())

		l.send(`430[]`)
		<-done
		cancel()
		synctest.Wait()
		assert.Equal(t, Stats{
			Conn: client.Stats().Conn, Topics: client.Stats().Topics, Answered: 1, Failed: 2,
		}, client.Stats())
	})
}
