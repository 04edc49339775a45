package chat

import (
	"context"
	"encoding/json"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A log handler may call the client.
func TestClient_mayBeUsedByItsLogger(t *testing.T) {
	onWire(t, Config{Tools: Tools{MaxConcurrent: 1, MaxPending: 1}}, func(t *testing.T, w wire, client *Client, l *link) {
		client.tools.log = slog.New(&usingHandler{client})
		begun, _, release, _ := waitingTool(client)
		for n := range 4 {
			l.send(callFrame(n, "r"))
		}
		synctest.Wait()
		assert.Equal(t, 2, client.Stats().Tools)
		close(release)
		<-begun
		<-begun
	})
}

// usingHandler calls a client for each record.
type usingHandler struct{ client *Client }

func (h *usingHandler) Enabled(context.Context, slog.Level) bool { return true }
func (h *usingHandler) WithAttrs([]slog.Attr) slog.Handler       { return h }
func (h *usingHandler) WithGroup(string) slog.Handler            { return h }

func (h *usingHandler) Handle(context.Context, slog.Record) error {
	h.client.Stats()
	h.client.State()
	h.client.EventName(events.KeyAIToken)
	return h.client.SetNames(map[events.Key]string{events.KeyChatRead: "read"})
}

func TestNameFunc_mayUseClient(t *testing.T) {
	var client *Client
	client, err := New("http://localhost", quick(Config{NameFunc: func(key events.Key, name string) string {
		if client != nil { // not during New
			client.Stats()
			return name + "/" + client.State().Phase.String() + "/" + client.EventName(events.KeyJoin)
		}
		return name
	}}))
	require.NoError(t, err)
	defer client.Close()
	require.NoError(t, client.SetNames(map[events.Key]string{events.KeyAIToken: "token"}))
	assert.Equal(t, "token/idle/chat:join", client.EventName(events.KeyAIToken))
}

func TestJoinReply_mayLeaveAndJoinRooms(t *testing.T) {
	var client *Client
	config := Config{JoinTimeout: time.Minute, JoinReply: func(chatID events.ID, _ json.RawMessage) error {
		if chatID == room1 {
			assert.NoError(t, client.Leave(context.Background(), room1))
			assert.NoError(t, client.Join(context.Background(), room2))
		}
		return nil
	}}
	synctest.Test(t, func(t *testing.T) {
		w := make(wire)
		client = w.client(t, config)
		_, stop := wiretest.Run(t, client)
		defer stop()
		l := w.accept("")
		assert.Equal(t, `420["chat:join",{"chatId":"room-1"}]`, <-l.out)
		l.send(`430[]`)
		assert.Equal(t, `42["chat:leave",{"chatId":"room-1"}]`, <-l.out)
		assert.Equal(t, `421["chat:join",{"chatId":"room-2"}]`, <-l.out)
		l.send(`431[]`)
		require.NoError(t, client.Ready(t.Context()))

		// JoinReply, called by Join, ends that Join.
		joined := make(chan error, 1)
		go func() { joined <- client.Join(t.Context(), room1) }() // ends with ErrLeft
		assert.Equal(t, `422["chat:join",{"chatId":"room-1"}]`, <-l.out)
		l.send(`432[]`)
		assert.Equal(t, `42["chat:leave",{"chatId":"room-1"}]`, <-l.out)
		assert.ErrorIs(t, <-joined, ErrLeft)

		l.cut()
		l = w.accept("")
		assert.Equal(t, `420["chat:join",{"chatId":"room-2"}]`, <-l.out, "the only room that is left")
	})
}

// A subscription of Names that blocks and is not read delays neither the reader
// nor the end of Run.
func TestNames_mayBlockWithoutReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := make(wire)
		client := w.client(t, Config{Discovery: Discovery{Enabled: true}})
		stuck := client.Names.Subscribe(context.Background(), bus.Limit(1), bus.OnOverflow(bus.Block))
		ended, stop := wiretest.Run(t, client)
		l := w.accept("")
		<-l.out // the request
		l.send(`42["meta:events:response",{"AI_TOKEN":"one"}]`)
		time.Sleep(time.Second)
		stop()
		assert.NoError(t, <-ended)
		require.NoError(t, client.Close())
		for range stuck.C() { // closes
		}
		assert.ErrorIs(t, stuck.Err(), bus.ErrClosed)
	})
}

// A panic of a subscription's filter reaches the caller, and later changes
// work.
func TestNames_surviveFilterPanic(t *testing.T) {
	client, err := New("http://localhost", quick(Config{}))
	require.NoError(t, err)
	defer client.Close()
	panics := true
	names := client.Names.Chan(t.Context(), bus.Filter(func(names map[events.Key]string) bool {
		if panics && names[events.KeyAIToken] == "first" {
			panic("filter")
		}
		return true
	}))
	assert.Panics(t, func() { _ = client.SetNames(map[events.Key]string{events.KeyAIToken: "first"}) })
	panics = false
	require.NoError(t, client.SetNames(map[events.Key]string{events.KeyAIToken: "second"}))
	assert.Equal(t, "ai:token", (<-names)[events.KeyAIToken])
	assert.Equal(t, "second", (<-names)[events.KeyAIToken])
}

// While the rooms of a new session are joined, a Join of one of them joins it
// there, once.
func TestJoin_joinsOnceWhileRoomsAreJoined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := make(wire)
		client := w.client(t, Config{JoinTimeout: time.Minute})
		_, stop := wiretest.Run(t, client)
		defer stop()
		l := w.accept("")
		<-l.out
		l.send(`430[]`)
		joined := make(chan error, 1)
		join := func() { joined <- client.Join(t.Context(), room2) }
		go join() // ends with the acknowledgement
		<-l.out
		l.send(`431[]`)
		require.NoError(t, <-joined)

		l.cut()
		l = w.accept("")
		assert.Equal(t, `420["chat:join",{"chatId":"room-1"}]`, <-l.out)
		go join() // likewise
		synctest.Wait()
		l.send(`430[]`)
		assert.Equal(t, `421["chat:join",{"chatId":"room-2"}]`, <-l.out)
		l.send(`431[]`)
		require.NoError(t, <-joined)
		require.NoError(t, client.Ready(t.Context()))
		assert.Empty(t, l.out)
	})
}

// Join and Leave fail during Shutdown in every state of the session.
func TestJoin_failsDuringShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := make(wire)
		client := w.client(t, Config{JoinTimeout: time.Minute})
		_, stop := wiretest.Run(t, client)
		defer stop()
		l := w.accept("")
		<-l.out // the join, which stays without a reply
		_, release, err := client.conn.Hold(t.Context())
		require.NoError(t, err)
		down := make(chan error, 1)
		go func() { down <- client.Shutdown(t.Context()) }() // ends with release
		synctest.Wait()
		assert.ErrorIs(t, client.Join(t.Context(), room2), conn.ErrClosed)
		assert.ErrorIs(t, client.Leave(t.Context(), room1), conn.ErrClosed)
		release()
		assert.NoError(t, <-down)
	})
}
