package chattest_test

import (
	"context"
	"errors"
	"math"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/seed67206a74/parley/reconnect"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// speak emits one token after the other until stop is closed, at most as many
// as most.
func speak(token func(), most int, stop <-chan struct{}) {
	for range most {
		token()
		select {
		case <-stop:
			return
		default:
		}
	}
	<-stop
}

func TestRecovery_continuesAnswerAcrossConnectionLosses(t *testing.T) {
	const cuts, most = 3, 200
	const interval, timeout = 100 * time.Millisecond, 900 * time.Millisecond
	cutAt, back := make(chan int, 1), make(chan struct{})
	server := start(t, chattest.Config{
		Recovery: time.Minute, PingInterval: interval, PingTimeout: timeout,
		Answer: func(ctx context.Context, _ events.UserMessage, emit func(events.Event)) {
			index := 0
			token := func() {
				emit(events.AIToken{Token: "x", Index: index})
				index++
			}
			for range cuts {
				token()
				chattest.SocketFromContext(ctx).CloseNow()
				cutAt <- index
				speak(token, most, back) // while the client is away, reconnecting, and back
			}
			close(cutAt)
			emit(events.AIMessage{MessageID: "m", Role: "assistant"})
		},
	})
	// A resumed session that breaks is resumed again after a heartbeat.
	c, heard, _ := client(t, server, conn.Config{Reconnect: reconnect.Policy{
		InitialInterval: interval + timeout, MaxInterval: interval + timeout, RandomizationFactor: -1,
	}})
	states := c.States.Subscribe(t.Context(), bus.Limit(1<<20)).C()
	call[reply](t, c, "chat:join", map[string]string{"chatId": "room-1"})
	require.Equal(t, "presence:update", wiretest.ReceiveFrom(t, heard).Name)
	require.NoError(t, c.Emit(t.Context(), "user:message", question("room-1", "r1")))
	index, cut := 0, -1
	for ended := false; !ended; {
		ev := wiretest.ReceiveFrom(t, heard)
		switch ev.Name {
		case "ai:token":
			require.Equal(t, index, as[events.AIToken](t, ev).Index)
			index++
			if cut < 0 {
				if at, more := <-cutAt; more {
					cut = at
				} else {
					cut = math.MaxInt // that was the last one
				}
			}
			if index > cut { // it was said after the cut
				back <- struct{}{}
				cut = -1
			}
		case "ai:message":
			ended = true
		}
	}

	first := server.Sockets()[0].ID
	recovered := 0
	for recovered < cuts {
		state := wiretest.ReceiveFrom(t, states)
		require.NotEqual(t, conn.Stopped, state.Phase)
		if state.Phase == conn.Connected { // the next cut may come before it is Ready
			require.Equal(t, first, state.SessionID)
			if state.Recovered {
				recovered++
			}
		}
	}
	assert.Len(t, server.Received("chat:join"), 1, "the room is that of the session")
}

func TestRecovery_updatesPresenceAndReplaysMissedEvents(t *testing.T) {
	var refuse atomic.Bool
	server := start(t, chattest.Config{
		Recovery: time.Minute,
		Auth: func(map[string]any) error {
			if refuse.Load() {
				return errors.New("a new one would be refused")
			}
			return nil
		},
	})
	_, heardByBob := joined(t, server, "room-1", "bob")
	c, heardByAda, _ := client(t, server, inRoom(events.StringID("room-1"), "ada"))
	require.Equal(t, "presence:update", wiretest.ReceiveFrom(t, heardByAda).Name)
	require.Equal(t, "presence:update", wiretest.ReceiveFrom(t, heardByBob).Name)
	refuse.Store(true) // a recovered client is not admitted again
	server.Sockets()[1].CloseNow()
	online := func(ids ...string) {
		t.Helper()
		var want []events.ID
		for _, id := range ids {
			want = append(want, events.StringID(id))
		}
		_, ev := until(t, heardByBob, "presence:update")
		assert.Equal(t, want, as[events.Presence](t, ev).OnlineUserIDs)
	}
	online("bob")
	server.Emit(events.StringID("room-1"), events.ChatMessage{MessageID: "m1", UserID: events.StringID("bob"), Text: "Missed me?"})
	online("bob", "ada")
	_, said := until(t, heardByAda, "chat:message")
	assert.Equal(t, "m1", as[events.ChatMessage](t, said).MessageID)
	assert.Len(t, said.Args, 2, "an offset is the last argument")
	require.NoError(t, c.Ready(t.Context()))
	assert.True(t, c.State().Recovered)
}

func TestRecovery_dropsSessionAfterDisconnect(t *testing.T) {
	server := start(t, chattest.Config{Recovery: time.Hour})
	_, heard := joined(t, server, "room-1", "ada")
	_, _, stop := client(t, server, inRoom(events.StringID("room-1"), "bob"))
	require.Equal(t, "presence:update", wiretest.ReceiveFrom(t, heard).Name)
	stop()
	assert.Len(t, as[events.Presence](t, wiretest.ReceiveFrom(t, heard)).OnlineUserIDs, 1)
	ada := server.Sockets()[0]
	ada.Disconnect()
	assert.ErrorIs(t, ada.Emit(t.Context(), "hello"), chattest.ErrGone)
	assert.Empty(t, server.Sockets())
}

func TestRecovery_expiresAfterTimeout(t *testing.T) {
	stopped := make(chan string, 1)
	server := start(t, chattest.Config{Recovery: time.Millisecond, Answer: stubborn(nil, stopped)})
	ws := dial(t, server, `40`, `420["chat:join",{"chatId":"room-1"}]`,
		`421["user:message",{"chatId":"room-1","requestId":"r1","messageId":"m1","userId":5,"text":"hi"}]`)
	for range 6 { // until the first token
		ws.read()
	}
	k := server.Sockets()[0]
	require.NoError(t, ws.Close())
	assert.Equal(t, "r1", wiretest.ReceiveFrom(t, stopped))
	assert.ErrorIs(t, k.Emit(t.Context(), "hello"), chattest.ErrGone)
}

func TestRecovery_failsAfterTooManyMissedEvents(t *testing.T) {
	var gate sync.RWMutex
	wait := func() { // while gate is locked
		gate.RLock()
		defer gate.RUnlock()
	}
	server := start(t, chattest.Config{Recovery: time.Minute, Middleware: func(backend http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			wait()
			backend.ServeHTTP(w, r)
		})
	}})
	c, _ := joined(t, server, "room-1", "ada")
	session := server.Sockets()[0]
	gate.Lock()
	session.CloseNow()
	for n := range 5_000 {
		require.NoError(t, session.Emit(t.Context(), "n", n))
	}
	states := c.States.Chan(t.Context())
	gate.Unlock()
	for state := wiretest.ReceiveFrom(t, states); state.SessionID == session.ID || state.Phase != conn.Ready; {
		state = wiretest.ReceiveFrom(t, states)
	}
	assert.False(t, c.State().Recovered)
	call[string](t, c, "echo", "it can go on")
}
