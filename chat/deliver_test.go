package chat

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/seed67206a74/parley/reconnect"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// message returns a user's message. said returns the frame that the client
// sends for it, as its nth packet with an acknowledgement on a session.
func message(id string) events.UserMessage {
	return events.UserMessage{MessageID: id, UserID: user, Text: "hi"}
}

func said(n int, id string) string {
	return fmt.Sprintf(`42%d["user:message",{"chatId":"room-1","messageId":%q,"userId":"u1","text":"hi"}]`, n, id)
}

// delivering starts a Deliver.
func delivering(ctx context.Context, client *Client, id string) (done <-chan delivered) {
	result := make(chan delivered, 1)
	go func() { // ends with the delivery
		reply, err := client.Deliver(ctx, message(id))
		result <- delivered{string(reply), err}
	}()
	return result
}

type delivered struct {
	reply string
	err   error
}

// failure returns the *DeliveryError of a delivery.
func (d delivered) failure(t *testing.T) DeliveryError {
	t.Helper()
	var failed *DeliveryError
	require.ErrorAs(t, d.err, &failed)
	return *failed
}

// onWire runs a test in a bubble, with a client over a wire and its first
// session.
func onWire(t *testing.T, cfg Config, play func(t *testing.T, w wire, client *Client, l *link)) {
	synctest.Test(t, func(t *testing.T) {
		w := make(wire)
		client := w.client(t, cfg)
		_, stop := wiretest.Run(t, client)
		defer stop()
		l := w.accept("")
		if !cfg.NoJoin {
			<-l.out
		}
		synctest.Wait()
		play(t, w, client, l)
	})
}

func TestDeliver_resendsUntilAcknowledged(t *testing.T) {
	onWire(t, Config{}, func(t *testing.T, w wire, client *Client, l *link) {
		start := time.Now()
		done := delivering(t.Context(), client, "m1")
		assert.Equal(t, said(0, "m1"), <-l.out)
		assert.Equal(t, said(1, "m1"), <-l.out, "no acknowledgement in time: the same message again")
		assert.Equal(t, DefaultAckTimeout, time.Since(start))
		l.cut()
		l = w.accept("")
		<-l.out // the join
		assert.Equal(t, said(0, "m1"), <-l.out, "and on the next session")
		l.send(`430[{"stored":true},"more"]`)
		assert.Equal(t, delivered{`{"stored":true}`, nil}, <-done)

		done = delivering(t.Context(), client, "m2")
		assert.Equal(t, said(1, "m2"), <-l.out)
		l.send(`430["late"]`, `431[]`)
		assert.Equal(t, delivered{"", nil}, <-done)
		time.Sleep(time.Hour)
		assert.Empty(t, l.out, "what is acknowledged is not sent again")
	})
}

func TestDeliver_keepsGeneratedMessageIDAcrossAttempts(t *testing.T) {
	onWire(t, Config{}, func(t *testing.T, w wire, client *Client, l *link) {
		done := delivering(t.Context(), client, "")
		first := <-l.out
		second := <-l.out
		assert.Equal(t, strings.TrimPrefix(first, "420"), strings.TrimPrefix(second, "421"))
		assert.NotContains(t, first, `"messageId":""`)
		l.send(`431[]`)
		assert.NoError(t, (<-done).err)
	})
}

func TestDeliver_sendsMessagesInCallOrder(t *testing.T) {
	onWire(t, Config{}, func(t *testing.T, w wire, client *Client, l *link) {
		const count = 20
		var all []<-chan delivered
		for n := range count {
			all = append(all, delivering(t.Context(), client, fmt.Sprint("m", n)))
			synctest.Wait()
		}
		for n := range count {
			if n == count/2 { // halfway, over a reconnect
				l.cut()
				l = w.accept("")
				<-l.out
			}
			id := n % (count / 2)
			assert.Equal(t, said(id, fmt.Sprint("m", n)), <-l.out)
			synctest.Wait()
			assert.Empty(t, l.out, "one at a time")
			l.send(fmt.Sprintf(`43%d[%d]`, id, n))
			assert.Equal(t, delivered{fmt.Sprint(n), nil}, <-all[n])
		}
	})
}

func TestDeliver_doesNotResendWithSingleAttempt(t *testing.T) {
	// SendMessage is written to a session that is lost; Deliver has one
	// attempt.
	onWire(t, Config{Delivery: Delivery{MaxAttempts: 1}}, func(t *testing.T, w wire, client *Client, l *link) {
		require.NoError(t, client.SendMessage(t.Context(), message("m1")))
		<-l.out
		done := delivering(t.Context(), client, "m2")
		<-l.out
		l.cut()
		failed := (<-done).failure(t)
		assert.Equal(t, 1, failed.Attempts)
		assert.True(t, failed.MaybeSent)
		assert.ErrorIs(t, &failed, conn.ErrSessionLost)
		l = w.accept("")
		<-l.out
		time.Sleep(time.Hour)
		assert.Empty(t, l.out)
	})
}

func TestDeliver_returnsDeliveryError(t *testing.T) {
	t.Run("MaxAttempts", func(t *testing.T) {
		onWire(t, Config{Delivery: Delivery{MaxAttempts: 3, AckTimeout: time.Second}}, func(t *testing.T, w wire, client *Client, l *link) {
			start := time.Now()
			failed := (<-delivering(t.Context(), client, "m1")).failure(t)
			assert.Equal(t, 3*time.Second, time.Since(start))
			assert.ErrorIs(t, &failed, context.DeadlineExceeded)
			assert.Equal(t, DeliveryError{Message: message("m1"), Attempts: 3, MaybeSent: true, Err: failed.Err}, failed)
			assert.ErrorContains(t, &failed, `message "m1" not delivered in 3 attempts`)
			assert.Len(t, l.out, 3)
		})
	})
	t.Run("ctx", func(t *testing.T) {
		onWire(t, Config{}, func(t *testing.T, w wire, client *Client, l *link) {
			ctx, cancel := context.WithCancel(t.Context())
			done, waiting := delivering(ctx, client, "m1"), delivering(ctx, client, "m2")
			<-l.out
			cancel()
			first, second := (<-done).failure(t), (<-waiting).failure(t)
			assert.ErrorIs(t, &first, context.Canceled)
			assert.True(t, first.MaybeSent != second.MaybeSent, "one of them was under way")
			assert.Equal(t, 1, first.Attempts+second.Attempts)

			last := delivering(t.Context(), client, "m3") // the next one is delivered
			assert.Equal(t, said(1, "m3"), <-l.out)
			l.send(`431[]`)
			assert.NoError(t, (<-last).err)
		})
	})
	t.Run("Close", func(t *testing.T) {
		onWire(t, Config{}, func(t *testing.T, w wire, client *Client, l *link) {
			under, waiting := delivering(t.Context(), client, "m1"), delivering(t.Context(), client, "m2")
			<-l.out
			client.Close()
			first, second := (<-under).failure(t), (<-waiting).failure(t)
			assert.ErrorIs(t, &first, conn.ErrClosed)
			assert.ErrorIs(t, &second, conn.ErrClosed)
			assert.True(t, first.MaybeSent != second.MaybeSent)
		})
	})
	t.Run("a full queue", func(t *testing.T) {
		onWire(t, Config{Delivery: Delivery{MaxPending: 2}}, func(t *testing.T, w wire, client *Client, l *link) {
			for n := range 3 {
				delivering(t.Context(), client, fmt.Sprint("m", n))
				synctest.Wait()
			}
			failed := (<-delivering(t.Context(), client, "one more")).failure(t)
			assert.Equal(t, DeliveryError{Message: message("one more"), Err: ErrQueueFull}, failed)
			client.Close()
		})
	})
	t.Run("an encoding", func(t *testing.T) {
		onWire(t, Config{}, func(t *testing.T, w wire, client *Client, l *link) {
			m := message("m1")
			m.Parts = []events.Part{{Type: "text", Value: func() {}}}
			_, err := client.Deliver(t.Context(), m)
			failed := delivered{err: err}.failure(t)
			assert.False(t, failed.MaybeSent)
			assert.Zero(t, failed.Attempts)
		})
	})
}

// The error of Run may be a timeout. Deliver must not treat it as the end of
// AckTimeout.
func TestDeliver_failsWhenRunEndsWithError(t *testing.T) {
	for name, tc := range map[string]struct {
		cfg   Config
		reply string // to the join
	}{
		"a refusal": {Config{JoinTimeout: time.Second}, `430[{"ok":false}]`},
		"a timeout": {Config{JoinTimeout: time.Second, Conn: conn.Config{Reconnect: reconnect.Policy{MaxAttempts: -1}}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := make(wire)
				client := w.client(t, tc.cfg)
				done := delivering(t.Context(), client, "m1")
				ended, stop := wiretest.Run(t, client)
				defer stop()
				l := w.accept("")
				<-l.out
				if tc.reply != "" {
					l.send(tc.reply)
				}
				require.Error(t, <-ended)
				failed := (<-done).failure(t)
				assert.False(t, failed.MaybeSent)
				var refused *JoinError
				assert.ErrorAs(t, &failed, &refused)
			})
		})
	}
}

func TestShutdown_waitsForDelivery(t *testing.T) {
	onWire(t, Config{}, func(t *testing.T, w wire, client *Client, l *link) {
		done := delivering(t.Context(), client, "m1")
		<-l.out
		down := make(chan error, 1)
		go func() { down <- client.Conn().Shutdown(t.Context()) }() // ends with the delivery
		synctest.Wait()
		late := delivering(t.Context(), client, "m2")
		l.cut() // even over a reconnect
		l = w.accept("")
		<-l.out
		assert.Equal(t, said(0, "m1"), <-l.out)
		l.send(`430[]`)
		assert.NoError(t, (<-done).err)
		assert.ErrorIs(t, (<-late).err, conn.ErrClosed, "but nothing begins any more")
		assert.NoError(t, <-down)
	})
}
