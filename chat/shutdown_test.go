package chat

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed67206a74/parley/conn"
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
