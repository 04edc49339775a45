package chattest_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestHandle_repliesToCustomEvent(t *testing.T) {
	server := start(t, chattest.Config{})
	server.Handle("order", func(_ context.Context, r chattest.Received) (any, error) {
		var order struct{ Cups int }
		if err := r.Decode(&order); err != nil {
			return nil, err
		}
		return map[string]int{"cups": order.Cups}, nil
	})
	c, heard := joined(t, server, "room-1", "ada")
	assert.Equal(t, map[string]int{"cups": 2}, call[map[string]int](t, c, "order", map[string]int{"cups": 2}))
	assert.False(t, call[reply](t, c, "order", "two").OK)
	assert.Equal(t, "error", wiretest.ReceiveFrom(t, heard).Name)

	server.Handle("order", func(context.Context, chattest.Received) (any, error) { return nil, nil })
	assert.Equal(t, reply{OK: true}, call[reply](t, c, "order"), "the later one counts")
	server.Handle("order", func(context.Context, chattest.Received) (any, error) { return make(chan int), nil })
	assert.False(t, call[reply](t, c, "order").OK, "a reply that is no JSON is an error")
	server.Handle("order", nil)
	require.NoError(t, c.Emit(t.Context(), "order"))
	assert.True(t, server.Expect(t, "order", map[string]int{"cups": 2}).WantsAck)
}

func TestHandle_runsBeforeBuiltInHandling(t *testing.T) {
	server := start(t, chattest.Config{})
	server.Handle("chat:join", func(context.Context, chattest.Received) (any, error) {
		return map[string]string{"role": "guest"}, nil
	})
	c, heard, _ := client(t, server, conn.Config{})
	got := call[map[string]string](t, c, "chat:join", map[string]string{"chatId": "room-1"})
	assert.Equal(t, map[string]string{"role": "guest"}, got)
	assert.Equal(t, "presence:update", wiretest.ReceiveFrom(t, heard).Name, "the room is entered all the same")
}

func TestRefuse_preventsJoin(t *testing.T) {
	server := start(t, chattest.Config{})
	c, heard, _ := client(t, server, conn.Config{})
	join := map[string]string{"chatId": "room-1"}

	server.Handle("chat:join", chattest.Refuse(errors.New("the room is full")))
	assert.Equal(t, reply{Error: "the room is full"}, call[reply](t, c, "chat:join", join))
	assert.JSONEq(t, `{"event":"chat:join","message":"the room is full"}`, string(wiretest.ReceiveFrom(t, heard).Args[0]))

	server.Handle("chat:join", chattest.Refuse(&conn.ReplyError{Reply: map[string]any{"success": false, "code": 7}}))
	assert.JSONEq(t, `{"success":false,"code":7}`, string(call[json.RawMessage](t, c, "chat:join", join)))
	assert.Equal(t, "error", wiretest.ReceiveFrom(t, heard).Name)

	server.Emit(events.StringID("room-1"), events.ChatMessage{MessageID: "m1", Text: "nobody hears that"})
	server.Handle("chat:join", nil)
	call[reply](t, c, "chat:join", join)
	assert.Equal(t, "presence:update", wiretest.ReceiveFrom(t, heard).Name)
}

func TestErrNoReply_sendsNoAcknowledgement(t *testing.T) {
	server := start(t, chattest.Config{})
	server.Handle("user:message", chattest.Refuse(chattest.ErrNoReply))
	server.Handle("meta:events:request", chattest.Refuse(chattest.ErrNoReply))
	c, heard := joined(t, server, "room-1", "ada")
	require.NoError(t, c.Emit(t.Context(), "meta:events:request"))
	ctx, giveUp := context.WithCancel(t.Context())
	go func() {
		_, _ = server.Next(ctx, "user:message")
		giveUp()
	}()
	_, err := conn.Call[reply](ctx, c, "user:message", question("room-1", "r1"))
	assert.ErrorIs(t, err, context.Canceled)
	call[[]string](t, c, "echo")
	assert.Empty(t, heard)
}

func TestHandle_canCallClient(t *testing.T) {
	server := start(t, chattest.Config{})
	server.Handle("delete", func(ctx context.Context, r chattest.Received) (any, error) {
		answer, err := r.Socket.Call(ctx, "sure?")
		return map[string]json.RawMessage{"sure": answer}, err
	})
	c, _ := joined(t, server, "room-1", "ada")
	defer conn.Handle(c, "sure?", func(context.Context, any) (int64, error) { return 9007199254740993, nil })()
	assert.JSONEq(t, `{"sure":9007199254740993}`, string(call[json.RawMessage](t, c, "delete")), "every digit")
}

func TestHandle_cancelsContextWhenClientDisconnects(t *testing.T) {
	server := start(t, chattest.Config{})
	ended := make(chan error, 1)
	server.Handle("wait", func(ctx context.Context, _ chattest.Received) (any, error) {
		<-ctx.Done()
		ended <- ctx.Err()
		return nil, nil
	})
	c, _, stop := client(t, server, conn.Config{})
	require.NoError(t, c.Emit(t.Context(), "wait"))
	stop()
	assert.ErrorIs(t, wiretest.ReceiveFrom(t, ended), context.Canceled)
}

func TestClose_cancelsRunningHandler(t *testing.T) {
	server := start(t, chattest.Config{})
	waiting := make(chan struct{})
	server.Handle("wait", func(ctx context.Context, _ chattest.Received) (any, error) {
		close(waiting)
		<-ctx.Done()
		return nil, nil
	})
	c, _, _ := client(t, server, conn.Config{})
	require.NoError(t, c.Emit(t.Context(), "wait"))
	require.NoError(t, c.Emit(t.Context(), "wait"), "it is not dealt with any more")
	<-waiting
	server.Close()
	assert.Empty(t, server.Received("wait"))
}

func TestServer_handlesLastEventsBeforeDisconnect(t *testing.T) {
	server := start(t, chattest.Config{})
	for range 50 {
		c, _, stop := client(t, server, conn.Config{})
		for range 10 {
			require.NoError(t, c.Emit(t.Context(), "last words"))
		}
		stop()
		for range 10 {
			server.Expect(t, "last words", nil)
		}
	}
}

func TestLeave_removesClientFromRoom(t *testing.T) {
	server := start(t, chattest.Config{})
	ada, heardByAda := joined(t, server, "room-1", "ada")
	_, heardByBob := joined(t, server, "room-1", "bob")
	require.Equal(t, "presence:update", wiretest.ReceiveFrom(t, heardByAda).Name)
	assert.Equal(t, reply{OK: true}, call[reply](t, ada, "chat:leave", map[string]string{"chatId": "room-1"}))
	assert.Equal(t, []events.ID{events.StringID("bob")}, as[events.Presence](t, wiretest.ReceiveFrom(t, heardByBob)).OnlineUserIDs)
	assert.Equal(t, reply{OK: true}, call[reply](t, ada, "chat:leave", map[string]string{"chatId": "room-1"}))
	assert.Empty(t, heardByAda)
}
