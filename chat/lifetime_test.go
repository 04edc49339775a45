package chat

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A clientPhase is a state of a client and the errors of its methods in it: nil
// for success, errWaits for a method that blocks until its ctx ends.
type clientPhase struct {
	enter  func(t *testing.T, w wire, client *Client)
	err    error // of most methods
	typing error
	run    error
}

var errWaits = context.DeadlineExceeded

func TestClient_methodsReturnExpectedErrorInEachPhase(t *testing.T) {
	begin := func(t *testing.T, client *Client) {
		_, stop := wiretest.Run(t, client)
		t.Cleanup(stop)
	}
	for name, p := range map[string]clientPhase{
		"before Run": {func(*testing.T, wire, *Client) {}, errWaits, conn.ErrNotReady, nil},
		"connecting": {func(t *testing.T, w wire, client *Client) { begin(t, client) }, errWaits, conn.ErrNotReady, conn.ErrRunning},
		"ready":      {func(t *testing.T, w wire, client *Client) { begin(t, client); serveWire(w.accept("")) }, nil, nil, conn.ErrRunning},
		"waiting": {func(t *testing.T, w wire, client *Client) {
			begin(t, client)
			l := w.accept("")
			synctest.Wait()
			l.cut()
		}, errWaits, conn.ErrNotReady, conn.ErrRunning},
		"stopped by its ctx": {func(t *testing.T, w wire, client *Client) {
			_, stop := wiretest.Run(t, client)
			serveWire(w.accept(""))
			synctest.Wait()
			stop()
		}, errWaits, conn.ErrNotReady, nil},
		"stopped for good": {func(t *testing.T, w wire, client *Client) {
			begin(t, client)
			w.accept("").send("41")
			synctest.Wait()
		}, conn.ErrDisconnected, conn.ErrNotReady, nil},
		"closed": {func(t *testing.T, w wire, client *Client) {
			begin(t, client)
			serveWire(w.accept(""))
			synctest.Wait()
			require.NoError(t, client.Close())
		}, conn.ErrClosed, conn.ErrClosed, conn.ErrClosed},
		"closed before Run": {func(t *testing.T, w wire, client *Client) { require.NoError(t, client.Close()) }, conn.ErrClosed, conn.ErrClosed, conn.ErrClosed},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := make(wire)
				cfg := Config{}
				cfg.Conn.Reconnect.InitialInterval, cfg.Conn.Reconnect.MaxInterval = 1000*time.Hour, 1000*time.Hour
				client := w.client(t, cfg)
				p.enter(t, w, client)
				synctest.Wait()
				var all sync.WaitGroup
				for n := range int64(3) {
					all.Go(func() {
						for range 2 {
							p.check(t, client, events.IntID(n))
						}
					})
				}
				all.Wait()
				if p.run != nil {
					assert.ErrorIs(t, client.Run(t.Context()), p.run)
				} else {
					ended, cancel := context.WithCancel(t.Context())
					cancel()
					assert.NoError(t, client.Run(ended))
				}
				assert.NoError(t, client.Close())
				assert.NoError(t, client.Close())
				assert.ErrorIs(t, client.Run(t.Context()), conn.ErrClosed)
				assert.ErrorIs(t, client.SendMessage(t.Context(), message("late")), conn.ErrClosed)
			})
		})
	}
}

// serveWire plays a backend until the session ends: it acknowledges each packet
// with an id, and answers each question with a message.
func serveWire(l *link) {
	go func() {
		for {
			select {
			case frame := <-l.out:
				packet := strings.TrimPrefix(frame, "42")
				if id := packet[:max(strings.IndexByte(packet, '['), 0)]; id != "" {
					l.send("43" + id + "[]")
				}
				if _, rest, ok := strings.Cut(packet, `"requestId":"`); ok && strings.Contains(packet, "user:message") {
					request, _, _ := strings.Cut(rest, `"`)
					l.send(finalFrame(request, "x"))
				}
			case <-l.gone:
				return
			}
		}
	}()
}

// sendingMethods returns the methods that send and wait.
func sendingMethods(client *Client, room events.ID) map[string]func(ctx context.Context) error {
	return map[string]func(ctx context.Context) error{
		"SendMessage": func(ctx context.Context) error { return client.SendMessage(ctx, message("m1")) },
		"Abort":       func(ctx context.Context) error { return client.Abort(ctx, events.Abort{RequestID: "r9"}) },
		"MarkRead": func(ctx context.Context) error {
			return client.MarkRead(ctx, events.Read{UserID: user, MessageIDs: []string{"m1"}})
		},
		"Emit":      func(ctx context.Context) error { return client.Emit(ctx, "custom", nil) },
		"Deliver":   func(ctx context.Context) error { _, err := client.Deliver(ctx, message("m2")); return err },
		"Answer":    func(ctx context.Context) error { _, err := client.Answer(ctx, Question{UserID: user}); return err },
		"Join":      func(ctx context.Context) error { return client.Join(ctx, room) },
		"Leave":     func(ctx context.Context) error { return client.Leave(ctx, room) },
		"conn.Emit": func(ctx context.Context) error { return client.conn.Emit(ctx, "custom") },
		"conn.Call": func(ctx context.Context) error { _, err := conn.Call[any](ctx, client.conn, "custom"); return err },
		"conn.Do": func(ctx context.Context) error {
			return client.conn.Do(ctx, func(ctx context.Context, s *conn.Session) error { return s.Emit(ctx, "custom") })
		},
	}
}

// check calls each method. Each caller has its own room, because a Leave ends
// the Joins of its room.
func (p clientPhase) check(t *testing.T, client *Client, room events.ID) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	assert.ErrorIs(t, client.Ready(ctx), p.err)
	for name, method := range sendingMethods(client, room) {
		assert.ErrorIs(t, method(ctx), p.err, name)
	}
	if p.err == nil || p.typing != conn.ErrNotReady {
		ctx, cancel = context.WithTimeout(t.Context(), time.Minute) // the first may have ended
		defer cancel()
	} else {
		ctx = t.Context()
	}
	assert.ErrorIs(t, client.TypingStart(ctx, user), p.typing)
	assert.ErrorIs(t, client.TypingStop(ctx, user), p.typing)
	assert.NoError(t, client.SetNames(map[events.Key]string{events.KeyAIAbort: "ai:stop"}))
	HandleTool(client, "tool", find)()
	_, _, _ = client.State(), client.Stats(), client.String()
	if p.err == nil {
		assert.NoError(t, client.Health())
	} else {
		assert.ErrorIs(t, client.Health(), conn.ErrNotReady)
	}
	sub := client.Tokens.Subscribe(ctx)
	if p.err == conn.ErrClosed {
		_, open := <-sub.C()
		assert.False(t, open)
	}
	sub.Close()
}
