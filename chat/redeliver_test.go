package chat

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The backend acknowledges each attempt, but later than AckTimeout.
func TestDeliver_acceptsAcknowledgementOfAnyAttempt(t *testing.T) {
	onWire(t, Config{}, func(t *testing.T, w wire, client *Client, l *link) {
		for round := range 2 {
			done := delivering(t.Context(), client, "m1")
			for n := range 3 {
				assert.Equal(t, said(3*round+n, "m1"), <-l.out)
			}
			l.send(fmt.Sprintf(`43%d["first"]`, 3*round), fmt.Sprintf(`43%d["second"]`, 3*round+1), fmt.Sprintf(`43%d["third"]`, 3*round+2))
			assert.Equal(t, delivered{`"first"`, nil}, <-done)
		}
		time.Sleep(time.Hour)
		assert.Empty(t, l.out)
		assert.Zero(t, client.Stats().Conn.Waiting)
	})
}

// MaxAttempts counts the attempts of all sessions, and an acknowledgement of an
// earlier attempt counts during the last one.
func TestDeliver_countsAttemptsOfAllSessions(t *testing.T) {
	onWire(t, Config{Delivery: Delivery{MaxAttempts: 3}}, func(t *testing.T, w wire, client *Client, l *link) {
		done := delivering(t.Context(), client, "m1")
		<-l.out
		<-l.out
		l.cut()
		l = w.accept("")
		<-l.out // the join
		assert.Equal(t, said(0, "m1"), <-l.out)
		time.Sleep(DefaultAckTimeout)
		failed := (<-done).failure(t)
		assert.Equal(t, 3, failed.Attempts)
		assert.Empty(t, l.out)
	})
}

func TestDeliver_failsAtOnceIfMessageCannotBeEncoded(t *testing.T) {
	onWire(t, Config{}, func(t *testing.T, w wire, client *Client, l *link) {
		first := delivering(t.Context(), client, "m1")
		<-l.out
		synctest.Wait()
		m := message("m2")
		m.Parts = []events.Part{{Type: "text", Value: make(chan int)}}
		_, err := client.Deliver(t.Context(), m) // m1 has not been acknowledged
		failed := delivered{err: err}.failure(t)
		assert.Zero(t, failed.Attempts)
		_, err = client.DeliverEvent(t.Context(), "order", func() {})
		assert.EqualError(t, err, fmt.Sprintf(`chat: event "order" not delivered in 0 attempts: %v`, delivered{err: err}.failure(t).Err))
		_, err = client.DeliverEvent(t.Context(), "disconnect", nil)
		assert.EqualError(t, err, `chat: event "disconnect" not delivered in 0 attempts: the name is reserved`)
		l.send(`430[]`)
		assert.NoError(t, (<-first).err)
	})
}

func TestDeliverEvent_sharesQueueWithDeliver(t *testing.T) {
	onWire(t, Config{Meta: map[string]any{"tenant": "acme"}}, func(t *testing.T, w wire, client *Client, l *link) {
		first := delivering(t.Context(), client, "m1")
		<-l.out
		result := make(chan delivered, 1)
		go func() { // ends with the delivery
			reply, err := client.DeliverEvent(t.Context(), "order", map[string]any{"id": 7})
			result <- delivered{string(reply), err}
		}()
		synctest.Wait()
		assert.Empty(t, l.out, "one at a time")
		l.send(`430[]`)
		assert.NoError(t, (<-first).err)
		for n := range 2 {
			assert.Equal(t, fmt.Sprintf(`42%d["order",{"chatId":"room-1","tenant":"acme","id":7}]`, n+1), <-l.out)
		}
		l.send(`432[{"stored":true}]`)
		assert.Equal(t, delivered{`{"stored":true}`, nil}, <-result)
	})
}

// The error of a call has the reason of its wait.
func TestSendError_hasStateOfConnection(t *testing.T) {
	for name, tc := range map[string]struct {
		run  bool
		want string
	}{
		"before Run": {false, "Run is not running"},
		"offline":    {true, "connecting, attempt 1: conn: connection lost: EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := make(wire)
				client := w.client(t, Config{})
				if tc.run {
					ctx, stop := context.WithCancel(t.Context())
					ended := make(chan error, 1)
					go func() { ended <- client.Run(ctx) }() // ends with ctx
					defer func() { stop(); <-ended }()
					l := w.accept("")
					<-l.out
					l.cut()
					time.Sleep(time.Second)
				}
				for method, call := range map[string]func(ctx context.Context) error{
					"SendMessage": func(ctx context.Context) error { return client.SendMessage(ctx, message("m1")) },
					"Emit":        func(ctx context.Context) error { return client.Emit(ctx, "x", nil) },
					"Join":        func(ctx context.Context) error { return client.Join(ctx, room2) },
					"Ask":         func(ctx context.Context) error { _, err := client.Ask(ctx, Question{UserID: user}); return err },
					"Deliver":     func(ctx context.Context) error { _, err := client.Deliver(ctx, message("m1")); return err },
					"Call":        func(ctx context.Context) error { _, err := conn.Call[any](ctx, client.Conn(), "x"); return err },
				} {
					ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
					err := call(ctx)
					cancel()
					var failed *conn.SendError
					require.ErrorAs(t, err, &failed, method)
					assert.Equal(t, tc.want, failed.State, method)
					assert.ErrorContains(t, err, "("+tc.want+"): context deadline exceeded", method)
				}
			})
		})
	}
}
