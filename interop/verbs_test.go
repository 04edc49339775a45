package interop

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMeta_isMergedIntoObjectPayloadsWithChatID(t *testing.T) {
	client, _ := startClient(t, startBackend(t).URL(), chat.Config{
		ChatID:      events.IntID(7),
		Meta:        map[string]any{"tenant": "acme", "text": "overridden"},
		JoinPayload: map[string]int{"since": 5},
	})
	ctx := wiretest.Context(t)
	at := time.Date(2026, 1, 2, 3, 4, 5, 600_000_000, time.UTC)
	require.NoError(t, client.SendMessage(ctx, events.UserMessage{MessageID: "m1", UserID: user, Text: "/tokens 1 0"}))
	require.NoError(t, client.TypingStart(ctx, user))
	require.NoError(t, client.TypingStop(ctx, events.IntID(9)))
	require.NoError(t, client.Abort(ctx, events.Abort{RequestID: "r1", Reason: "enough"}))
	require.NoError(t, client.MarkRead(ctx, events.Read{UserID: user, MessageIDs: []string{"m1"}, ReadAt: at}))
	require.NoError(t, client.Emit(ctx, "custom:event", map[string]string{"hello": "world", "chatId": "elsewhere"}))
	require.NoError(t, client.Emit(ctx, "custom:none", nil))
	require.NoError(t, client.Emit(ctx, "custom:list", []int{1}))
	assert.Equal(t, []string{
		`chat:join [{"chatId":7,"tenant":"acme","text":"overridden","since":5}]`,
		`user:message [{"chatId":7,"tenant":"acme","messageId":"m1","userId":"u1","text":"/tokens 1 0"}]`,
		`user:typingStart [{"chatId":7,"tenant":"acme","text":"overridden","userId":"u1"}]`,
		`user:typingStop [{"chatId":7,"tenant":"acme","text":"overridden","userId":9}]`,
		`ai:abort [{"chatId":7,"tenant":"acme","text":"overridden","requestId":"r1","reason":"enough"}]`,
		`chat:read [{"chatId":7,"tenant":"acme","text":"overridden","userId":"u1","messageIds":["m1"],"readAt":"2026-01-02T03:04:05.6Z"}]`,
		`custom:event [{"tenant":"acme","text":"overridden","chatId":"elsewhere","hello":"world"}]`,
		`custom:none [{"chatId":7,"tenant":"acme","text":"overridden"}]`,
		`custom:list [[1]]`,
	}, received(t, client))
}

func TestSetNames_appliesToWaitingMessage(t *testing.T) {
	backend := startBackend(t)
	client, err := chat.New(backend.URL(), chat.Config{ChatID: room})
	require.NoError(t, err)
	sent := make(chan error, 1)
	go func() {
		sent <- client.SendMessage(wiretest.Context(t), events.UserMessage{MessageID: "m1", UserID: user, Text: "hi"})
	}()
	<-time.After(50 * time.Millisecond) // by then it usually waits for Ready
	require.NoError(t, client.SetNames(map[events.Key]string{events.KeyUserMessage: "renamed"}))
	ended := make(chan error, 1)
	go func() { ended <- client.Run(t.Context()) }()
	require.NoError(t, wiretest.ReceiveFrom(t, sent))
	assert.Contains(t, received(t, client), `renamed [{"chatId":"room-1","messageId":"m1","userId":"u1","text":"hi"}]`)
	client.Close()
	wiretest.ReceiveFrom(t, ended)
}

func TestTyping_returnsErrNotReadyWithoutSession(t *testing.T) {
	backend := startBackend(t)
	client, err := chat.New(backend.URL(), chat.Config{ChatID: room, Conn: conn.Config{Reconnect: soon}})
	require.NoError(t, err)
	dropped := func(err error) {
		t.Helper()
		var failed *conn.SendError
		require.ErrorAs(t, err, &failed)
		assert.ErrorIs(t, err, conn.ErrNotReady)
		assert.False(t, failed.MaybeSent)
	}
	dropped(client.TypingStart(wiretest.Context(t), user)) // not running
	states := client.States.Chan(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- client.Run(t.Context()) }()
	defer func() {
		client.Close()
		wiretest.ReceiveFrom(t, ended)
	}()
	wiretest.ReceivePhase(t, states, conn.Ready)
	backend.Kill()
	wiretest.ReceivePhase(t, states, conn.Waiting)
	dropped(client.TypingStop(wiretest.Context(t), user)) // between two sessions
	backend.Start()
	wiretest.ReceivePhase(t, states, conn.Ready)
	require.NoError(t, client.TypingStart(wiretest.Context(t), user))
	_, err = conn.Call[json.RawMessage](wiretest.Context(t), client.Conn(), "echo", 1) // follows all sent events
	require.NoError(t, err)
	assert.Equal(t, []string{"chat:join", "user:typingStart", "echo"}, names(received(t, client)), "nothing was queued")
}
