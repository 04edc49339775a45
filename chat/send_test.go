package chat

import (
	"context"
	"testing"
	"time"

	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestClient_methodsSendExpectedPayload(t *testing.T) {
	stage := newStage(t, nil)
	client, _ := stage.run(t, Config{Meta: map[string]any{"tenant": "acme", "text": "overridden", "userId": "overridden"}})
	ctx := wiretest.Context(t)
	require.NoError(t, client.Ready(ctx))
	assert.Equal(t, `42["chat:join",{"chatId":"room-1","tenant":"acme","text":"overridden","userId":"overridden"}]`, stage.next(t))
	at := time.Date(2026, 1, 2, 3, 4, 5, 600_000_000, time.FixedZone("", 3600))
	for _, tc := range []struct {
		do   func() error
		want string
	}{
		{func() error {
			return client.SendMessage(ctx, events.UserMessage{MessageID: "m1", UserID: user, Text: "hi", RequestID: "r1", TraceID: "t1",
				Parts: []events.Part{{Type: "image", Value: "https://…"}}})
		}, `"user:message",{"chatId":"room-1","tenant":"acme","traceId":"t1","requestId":"r1",` +
			`"messageId":"m1","userId":"u1","text":"hi","parts":[{"type":"image","value":"https://…"}]}`},
		{func() error { return client.TypingStart(ctx, user) },
			`"user:typingStart",{"chatId":"room-1","tenant":"acme","text":"overridden","userId":"u1"}`},
		{func() error { return client.TypingStop(ctx, events.IntID(9)) },
			`"user:typingStop",{"chatId":"room-1","tenant":"acme","text":"overridden","userId":9}`},
		{func() error {
			return client.Typing(ctx, true, events.Typing{ChatID: room2, TraceID: "t1", UserID: user})
		},
			`"user:typingStart",{"tenant":"acme","text":"overridden","chatId":"room-2","traceId":"t1","userId":"u1"}`},
		{func() error {
			return client.Typing(ctx, false, events.Typing{TraceID: "t1", UserID: user})
		},
			`"user:typingStop",{"chatId":"room-1","tenant":"acme","text":"overridden","traceId":"t1","userId":"u1"}`},
		{func() error {
			return client.Abort(ctx, events.Abort{RequestID: "r1", Reason: "enough", TraceID: "t1"})
		},
			`"ai:abort",{"chatId":"room-1","tenant":"acme","text":"overridden","userId":"overridden","traceId":"t1","requestId":"r1","reason":"enough"}`},
		{func() error {
			return client.MarkRead(ctx, events.Read{UserID: user, MessageIDs: []string{"m1"}, ReadAt: at, TraceID: "t1"})
		}, `"chat:read",{"chatId":"room-1","tenant":"acme","text":"overridden","traceId":"t1","userId":"u1",` +
			`"messageIds":["m1"],"readAt":"2026-01-02T03:04:05.6+01:00"}`},
		{func() error {
			return client.Emit(ctx, "custom:event", map[string]string{"hello": "world", "chatId": "elsewhere"})
		},
			`"custom:event",{"tenant":"acme","text":"overridden","userId":"overridden","chatId":"elsewhere","hello":"world"}`},
		{func() error { return client.Emit(ctx, "custom:none", nil) },
			`"custom:none",{"chatId":"room-1","tenant":"acme","text":"overridden","userId":"overridden"}`},
		{func() error { return client.Emit(ctx, "custom:list", []int{1}) }, `"custom:list",[1]`},
		{func() error { return client.Conn().Emit(ctx, "as it is", 1, "two") }, `"as it is",1,"two"`},
	} {
		require.NoError(t, tc.do())
		assert.Equal(t, "42["+tc.want+"]", stage.next(t))
	}
}

func TestClient_methodsWaitForReadyUntilContextEnds(t *testing.T) {
	client := newStage(t, nil).client(t, Config{})
	for name, method := range map[string]func(ctx context.Context) error{
		"SendMessage": func(ctx context.Context) error { return client.SendMessage(ctx, events.UserMessage{UserID: user}) },
		"Abort":       func(ctx context.Context) error { return client.Abort(ctx, events.Abort{}) },
		"MarkRead":    func(ctx context.Context) error { return client.MarkRead(ctx, events.Read{UserID: user}) },
		"Emit":        func(ctx context.Context) error { return client.Emit(ctx, "x", nil) },
		"Join":        func(ctx context.Context) error { return client.Join(ctx, room2) },
		"Leave":       func(ctx context.Context) error { return client.Leave(ctx, room2) },
		"Ask":         func(ctx context.Context) error { _, err := client.Ask(ctx, Question{UserID: user}); return err },
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			defer cancel()
			err := method(ctx)
			var failed *conn.SendError
			require.ErrorAs(t, err, &failed)
			assert.ErrorIs(t, err, context.DeadlineExceeded)
			assert.False(t, failed.MaybeSent)
			assert.NotEmpty(t, failed.Event)
		})
	}
	assert.False(t, client.streams.count.Load() > 0, "a question that was not asked is not waited for")
	assert.Empty(t, client.streams.abandoned)
	client.Close()
	assert.ErrorIs(t, client.SendMessage(t.Context(), events.UserMessage{UserID: user}), conn.ErrClosed)
	_, err := client.Ask(t.Context(), Question{UserID: user})
	assert.ErrorIs(t, err, conn.ErrClosed)
}

func TestTyping_returnsErrNotReadyWithoutSession(t *testing.T) {
	stage := newStage(t, nil)
	client := stage.client(t, Config{})
	err := client.TypingStart(t.Context(), user)
	assert.ErrorIs(t, err, conn.ErrNotReady)
	var failed *conn.SendError
	require.ErrorAs(t, err, &failed)
	assert.Equal(t, "user:typingStart", failed.Event)
	wiretest.Run(t, client)
	require.NoError(t, client.Ready(wiretest.Context(t)))
	require.NoError(t, client.TypingStop(t.Context(), user))
	stage.next(t)
	assert.Equal(t, `42["user:typingStop",{"chatId":"room-1","userId":"u1"}]`, stage.next(t), "what was dropped does not come later")

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	assert.ErrorIs(t, client.TypingStart(ended, user), context.Canceled)
}

func TestAbort_sendsRequestIDAndEndsStream(t *testing.T) {
	stage := newStage(t, nil)
	client, _ := stage.run(t, Config{})
	ask := func(chatID events.ID, id string) *Stream {
		s, err := client.Ask(wiretest.Context(t), Question{UserID: user, RequestID: id, ChatID: chatID})
		require.NoError(t, err)
		stage.next(t)
		return s
	}
	require.NoError(t, client.Ready(wiretest.Context(t)))
	stage.next(t)
	one, other, elsewhere := ask(events.ID{}, "one"), ask(events.ID{}, "other"), ask(room2, "elsewhere")
	require.NoError(t, client.Abort(wiretest.Context(t), events.Abort{RequestID: "one"}))
	assert.Equal(t, `42["ai:abort",{"chatId":"room-1","requestId":"one"}]`, stage.next(t))
	_, err := one.Wait()
	assert.ErrorIs(t, err, ErrAborted)
	assert.False(t, other.Progress().Ended)

	require.NoError(t, client.Abort(wiretest.Context(t), events.Abort{}))
	assert.Equal(t, `42["ai:abort",{"chatId":"room-1"}]`, stage.next(t))
	_, err = other.Wait()
	assert.ErrorIs(t, err, ErrAborted)
	assert.False(t, elsewhere.Progress().Ended, "the chat of another room goes on")

	elsewhere.Abort("enough")
	assert.Equal(t, `42["ai:abort",{"chatId":"room-2","requestId":"elsewhere","reason":"enough"}]`, stage.next(t))
	_, err = elsewhere.Wait()
	assert.ErrorIs(t, err, ErrAborted)
	elsewhere.Abort("again") // does nothing
	require.NoError(t, client.Emit(wiretest.Context(t), "mark", nil))
	assert.Equal(t, `42["mark",{"chatId":"room-1"}]`, stage.next(t))
}
