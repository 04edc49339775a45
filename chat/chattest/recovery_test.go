package chattest_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// recovering is a backend whose answer is as many tokens as it is asked for, the
// connection being cut after each hundredth.
func recovering(t *testing.T, tokens int) *chattest.Server {
	return start(t, chattest.Config{
		Recovery: time.Minute,
		Answer: func(ctx context.Context, _ events.UserMessage, emit func(events.Event)) {
			for n := range tokens {
				emit(events.AIToken{Token: "x", Index: n})
				if n%100 == 99 {
					chattest.Asker(ctx).Cut()
				}
			}
			emit(events.AIMessage{MessageID: "m", Role: "assistant"})
		},
	})
}

func TestAnAnswerGoesOnUnbrokenOverManyCuts(t *testing.T) {
	const tokens = 2_000
	server := recovering(t, tokens)
	c, heard, _ := client(t, server, conn.Config{})
	call[reply](t, c, "chat:join", map[string]string{"chatId": "room-1"})
	require.Equal(t, "presence:update", next(t, heard).Name)
	session := c.State().SessionID
	require.NoError(t, c.Emit(t.Context(), "user:message", question("room-1", "r1")))
	for n := 0; n < tokens; {
		if ev := next(t, heard); ev.Name == "ai:token" {
			require.Equal(t, n, as[events.AIToken](t, ev).Index)
			n++
		}
	}
	until(t, heard, "ai:message")
	require.NoError(t, c.Ready(t.Context()))
	assert.Equal(t, session, c.State().SessionID)
	assert.Len(t, server.Sockets(), 1)
	assert.Len(t, server.Received("chat:join"), 1, "the room is that of the session")
}

func TestAClientThatIsAwayIsNotPresentAndMissesNothing(t *testing.T) {
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
	require.Equal(t, "presence:update", next(t, heardByAda).Name)
	require.Equal(t, "presence:update", next(t, heardByBob).Name)
	refuse.Store(true) // who is recovered is not asked again
	server.Sockets()[1].Cut()
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

func TestWhoSaysGoodbyeOrIsKickedHasNoSessionToComeBackTo(t *testing.T) {
	server := start(t, chattest.Config{Recovery: time.Hour})
	_, heard := joined(t, server, "room-1", "ada")
	_, _, stop := client(t, server, inRoom(events.StringID("room-1"), "bob"))
	require.Equal(t, "presence:update", next(t, heard).Name)
	stop()
	assert.Len(t, as[events.Presence](t, next(t, heard)).OnlineUserIDs, 1)
	ada := server.Sockets()[0]
	ada.Kick()
	assert.ErrorIs(t, ada.Emit(t.Context(), "hello"), chattest.ErrGone)
	assert.Empty(t, server.Sockets())
}

func TestASessionIsLostAfterItsTime(t *testing.T) {
	stopped := make(chan string, 1)
	server := start(t, chattest.Config{Recovery: time.Millisecond, Answer: stubborn(nil, stopped)})
	ws := dial(t, server, `40`, `420["chat:join",{"chatId":"room-1"}]`,
		`421["user:message",{"chatId":"room-1","requestId":"r1","messageId":"m1","userId":5,"text":"hi"}]`)
	for range 6 { // until the first token
		ws.read()
	}
	k := server.Sockets()[0]
	require.NoError(t, ws.Close())
	assert.Equal(t, "r1", next(t, stopped))
	assert.ErrorIs(t, k.Emit(t.Context(), "hello"), chattest.ErrGone)
}

func TestWhoHasMissedTooMuchIsANewClient(t *testing.T) {
	var wayBack sync.RWMutex
	server := start(t, chattest.Config{Recovery: time.Minute, Wrap: func(backend http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			wayBack.RLock()
			defer wayBack.RUnlock()
			backend.ServeHTTP(w, r)
		})
	}})
	c, _ := joined(t, server, "room-1", "ada")
	session := server.Sockets()[0]
	wayBack.Lock()
	session.Cut()
	for n := range 5_000 {
		require.NoError(t, session.Emit(t.Context(), "n", n))
	}
	states := c.States.Chan(t.Context())
	wayBack.Unlock()
	for state := next(t, states); state.SessionID == session.ID || state.Phase != conn.Ready; {
		state = next(t, states)
	}
	assert.False(t, c.State().Recovered)
	call[string](t, c, "echo", "it can go on")
}
