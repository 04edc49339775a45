package interop

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPresence_listsOnlineUsers(t *testing.T) {
	backend := startBackend(t)
	auth := func(id string) conn.Config {
		return conn.Config{Auth: func(context.Context) (any, error) { return map[string]string{"userId": id}, nil }}
	}
	first, _ := startClient(t, backend.URL(), chat.Config{Conn: auth("u1")})
	presence := first.Presence.Chan(t.Context())
	require.NoError(t, first.Ready(wiretest.Context(t)))
	assert.Equal(t, []events.ID{events.StringID("u1")}, wiretest.ReceiveFrom(t, presence).OnlineUserIDs)
	second, _ := startClient(t, backend.URL(), chat.Config{Conn: auth("u2")})
	require.NoError(t, second.Ready(wiretest.Context(t)))
	assert.ElementsMatch(t, []events.ID{events.StringID("u1"), events.StringID("u2")}, wiretest.ReceiveFrom(t, presence).OnlineUserIDs)
	second.Close()
	assert.Equal(t, []events.ID{events.StringID("u1")}, wiretest.ReceiveFrom(t, presence).OnlineUserIDs)
}

func TestNoJoin_sendsQuestionWithoutJoinOrChatID(t *testing.T) {
	client, _ := startClient(t, startBackend(t).URL(), chat.Config{NoJoin: true})
	stream, err := client.Ask(wiretest.Context(t), chat.Question{UserID: user, Text: "hi", RequestID: "r1", MessageID: "m1"})
	require.NoError(t, err)
	message, err := stream.Wait()
	require.NoError(t, err)
	assert.Equal(t, "You said: hi", message.Text)
	assert.Equal(t, []string{`user:message [{"requestId":"r1","messageId":"m1","userId":"u1","text":"hi"}]`}, received(t, client))
}

func TestJoin_returnsJoinErrorWithReply(t *testing.T) {
	backend := startBackend(t)
	locked := events.StringID("locked")
	cfg := chat.Config{ChatID: locked, JoinTimeout: 10 * time.Second}
	client, ended := startClient(t, backend.URL(), cfg)
	err := wiretest.ReceiveFrom(t, ended)
	var refused *chat.JoinError
	require.ErrorAs(t, err, &refused)
	assert.Equal(t, locked, refused.ChatID)
	assert.JSONEq(t, `{"ok":false,"error":"the room is locked","code":"E_LOCKED"}`, string(refused.Reply))
	assert.ErrorIs(t, client.Ready(wiretest.Context(t)), refused)

	// A refused further room does not end the connection.
	cfg.ChatID = room
	client, _ = startClient(t, backend.URL(), cfg)
	require.ErrorAs(t, client.Join(wiretest.Context(t), locked), &refused)
	assert.Equal(t, locked, refused.ChatID)
	session := client.State().SessionID
	message, err := client.Answer(wiretest.Context(t), chat.Question{UserID: user, Text: "hi"})
	require.NoError(t, err)
	assert.Equal(t, "You said: hi", message.Text)
	assert.Equal(t, session, client.State().SessionID)
	reconnectClient(t, client)
	assert.Len(t, of(received(t, client), `chat:join [{"chatId":"locked"}]`), 2, "one by each client, none after the reconnect")
}

func TestRetry_repeatsRejectedJoin(t *testing.T) {
	backend := startBackend(t)
	observer, _ := startClient(t, backend.URL(), chat.Config{})
	asked := 0
	client, _ := startClient(t, backend.URL(), chat.Config{
		ChatID: events.StringID("room-2"), JoinTimeout: 10 * time.Second,
		JoinReply: func(_ events.ID, reply json.RawMessage) error {
			if asked++; asked < 3 {
				return errors.New("not yet")
			}
			return nil
		},
		Conn: conn.Config{Retry: func(err error) bool { return errors.As(err, new(*chat.JoinError)) }},
	})
	require.NoError(t, client.Ready(wiretest.Context(t)))
	assert.Len(t, of(received(t, observer), `chat:join [{"chatId":"room-2"}]`), 3)
}

func TestJoin_rejoinsRoomsAfterReconnect(t *testing.T) {
	backend := startBackend(t)
	client, _ := startClient(t, backend.URL(), chat.Config{JoinTimeout: 10 * time.Second})
	seven, eight := events.IntID(7), events.StringID("eight")
	require.NoError(t, client.Join(wiretest.Context(t), seven))
	require.NoError(t, client.Join(wiretest.Context(t), eight))
	require.NoError(t, client.Leave(wiretest.Context(t), eight))
	messages := client.ChatMessages.Chan(t.Context(), chat.InRoom[events.ChatMessage](seven))

	other, _ := startClient(t, backend.URL(), chat.Config{ChatID: seven})
	send := func(id string) {
		t.Helper()
		require.NoError(t, other.SendMessage(wiretest.Context(t), events.UserMessage{MessageID: id, UserID: user, Text: "/tokens 1 0"}))
		message := wiretest.ReceiveFrom(t, messages)
		assert.Equal(t, id, message.MessageID)
		assert.Equal(t, seven, message.ChatID)
	}
	send("before the reconnect")
	reconnectClient(t, client)
	send("after the reconnect")

	main, further, left := `chat:join [{"chatId":"room-1"}]`, `chat:join [{"chatId":7}]`, `chat:join [{"chatId":"eight"}]`
	assert.Equal(t, []string{main, further, left, further, main, further}, of(received(t, client), "chat:join"),
		"one join is from the other client; the room that was left is not joined again")
	assert.Equal(t, []string{`chat:leave [{"chatId":"eight"}]`}, of(received(t, client), "chat:leave"))
}
