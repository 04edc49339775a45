package chattest_test

import (
	"context"
	"encoding/json"
	"math"
	"testing"

	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRoom_receivesQuestionAndAnswer(t *testing.T) {
	server := start(t, chattest.Config{})
	ada, _ := joined(t, server, "room-1", "ada")
	_, bob := joined(t, server, "room-1", "bob")
	ask(t, ada, question("room-1", "r1"))
	assert.Equal(t, "chat:message", wiretest.ReceiveFrom(t, bob).Name)
	before, answer := until(t, bob, "ai:message")
	assert.Equal(t, []string{"ai:processing", "ai:processing",
		"ai:token", "ai:token", "ai:token", "ai:token", "ai:token"}, before)
	assert.Equal(t, "r1", as[events.AIMessage](t, answer).RequestID)
}

func TestRoom_receivesNoEventsOfOtherRooms(t *testing.T) {
	server := start(t, chattest.Config{})
	ada, heardByAda := joined(t, server, "room-1", "ada")
	bob, heardByBob := joined(t, server, "room-2", "bob")
	ask(t, ada, question("room-1", "r1"))
	ask(t, bob, question("room-2", "r2"))
	for requestID, heard := range map[string]<-chan conn.Event{"r1": heardByAda, "r2": heardByBob} {
		for name := ""; name != "ai:message"; {
			ev := wiretest.ReceiveFrom(t, heard)
			assert.Contains(t, string(ev.Args[0]), `"requestId":"`+requestID+`"`)
			name = ev.Name
		}
	}
}

func TestServer_answersClientOutsideRoomPrivately(t *testing.T) {
	server := start(t, chattest.Config{})
	_, heardInRoom := joined(t, server, "room-1", "ada")
	eve, heardByEve, _ := client(t, server, conn.Config{})

	ask(t, eve, question("room-1", "r1"))
	_, answer := until(t, heardByEve, "ai:message")
	assert.Equal(t, events.StringID("room-1"), as[events.AIMessage](t, answer).ChatID, "the question's, though nobody has joined")

	joined(t, server, "room-1", "bob")
	assert.Equal(t, "presence:update", wiretest.ReceiveFrom(t, heardInRoom).Name, "nothing of what eve said and heard")
}

func TestJoin_allowsSeveralRooms(t *testing.T) {
	server := start(t, chattest.Config{})
	ada, heardByAda := joined(t, server, "room-1", "ada")
	bob, _ := joined(t, server, "room-2", "bob")
	call[reply](t, ada, "chat:join", map[string]string{"chatId": "room-2"})
	require.Equal(t, "presence:update", wiretest.ReceiveFrom(t, heardByAda).Name)

	ask(t, bob, question("room-2", "r1"))
	assert.Equal(t, "r1", as[events.ChatMessage](t, wiretest.ReceiveFrom(t, heardByAda)).RequestID)
}

func TestChatID_keepsTypeAndPrecision(t *testing.T) {
	server := start(t, chattest.Config{})
	large := events.IntID(math.MaxInt64) // a float64 would make ...808 of its ...807
	for _, chatID := range []events.ID{events.IntID(5), events.StringID("5"), large, events.StringID("")} {
		c, heard, _ := client(t, server, inRoom(chatID, "ada"))
		present := as[events.Presence](t, wiretest.ReceiveFrom(t, heard))
		assert.Equal(t, chatID, present.ChatID)
		assert.Len(t, present.OnlineUserIDs, 1, "5 and \"5\" are different rooms")

		q := question("", "r1")
		q.ChatID, q.UserID = chatID, large
		ask(t, c, q)
		said := as[events.ChatMessage](t, wiretest.ReceiveFrom(t, heard))
		assert.Equal(t, chatID, said.ChatID)
		assert.Equal(t, large, said.UserID)
		_, answer := until(t, heard, "ai:message")
		assert.Equal(t, chatID, as[events.AIMessage](t, answer).ChatID)
	}
}

func TestPresence_updatesOnJoinAndDisconnect(t *testing.T) {
	server := start(t, chattest.Config{})
	ada, bob := events.StringID("ada"), events.IntID(math.MaxInt64)
	_, heard := joined(t, server, "room-1", "ada")

	withNumber := inRoom(events.StringID("room-1"), "")
	withNumber.Auth = func(context.Context) (any, error) { return map[string]any{"userId": bob}, nil }
	_, _, bobLeaves := client(t, server, withNumber)
	present := as[events.Presence](t, wiretest.ReceiveFrom(t, heard))
	assert.Equal(t, events.Presence{ChatID: events.StringID("room-1"), OnlineUserIDs: []events.ID{ada, bob}}, present)

	_, _, twinLeaves := client(t, server, inRoom(events.StringID("room-1"), "ada"))
	assert.Equal(t, []events.ID{ada, bob}, as[events.Presence](t, wiretest.ReceiveFrom(t, heard)).OnlineUserIDs, "a user once, however many connections")
	bobLeaves()
	assert.Equal(t, []events.ID{ada}, as[events.Presence](t, wiretest.ReceiveFrom(t, heard)).OnlineUserIDs)
	twinLeaves()
	assert.Equal(t, []events.ID{ada}, as[events.Presence](t, wiretest.ReceiveFrom(t, heard)).OnlineUserIDs)
}

func TestUserID_fallsBackToSocketIDThenFirstEvent(t *testing.T) {
	server := start(t, chattest.Config{})
	c, heard, _ := client(t, server, conn.Config{OnConnect: func(ctx context.Context, s *conn.Session) error {
		return s.Emit(ctx, "chat:join", map[string]any{"chatId": "room-1"})
	}})
	present := as[events.Presence](t, wiretest.ReceiveFrom(t, heard))
	assert.Equal(t, []events.ID{events.StringID(c.State().SessionID)}, present.OnlineUserIDs)

	typing := events.Typing{ChatID: events.StringID("room-1"), UserID: events.StringID("ada")}
	require.NoError(t, c.Emit(t.Context(), "user:typingStart", typing))
	present = as[events.Presence](t, wiretest.ReceiveFrom(t, heard))
	assert.Equal(t, []events.ID{events.StringID("ada")}, present.OnlineUserIDs)

	typing.UserID = events.StringID("eve")
	call[reply](t, c, "user:typingStop", typing)
	joined(t, server, "room-1", "bob")
	present = as[events.Presence](t, wiretest.ReceiveFrom(t, heard))
	assert.Equal(t, []events.ID{events.StringID("ada"), events.StringID("bob")}, present.OnlineUserIDs, "the first counts")
}

func TestJoin_ignoresPayloadWithoutChatID(t *testing.T) {
	c, heard, _ := client(t, start(t, chattest.Config{}), conn.Config{})
	assert.Equal(t, reply{OK: true}, call[reply](t, c, "chat:join", map[string]string{"consultationId": "abc"}))
	assert.Equal(t, reply{OK: true}, call[reply](t, c, "chat:join"))
	require.NoError(t, c.Emit(t.Context(), "user:message", question("room-1", "r1")))
	assert.Equal(t, "chat:message", wiretest.ReceiveFrom(t, heard).Name)
}

func TestServer_acknowledgesEveryProtocolEvent(t *testing.T) {
	c, _ := joined(t, start(t, chattest.Config{}), "room-1", "ada")
	for event, payload := range map[string]string{
		"chat:join":        `{"chatId":"room-1"}`,
		"user:message":     `{"chatId":"room-1","messageId":"m1","userId":1,"text":"hi"}`,
		"user:typingStart": `{"userId":"ada"}`,
		"user:typingStop":  `{"userId":"ada"}`,
		"ai:abort":         `{"reason":"enough"}`,
		"chat:read":        `{"userId":"ada","messageIds":["m1"],"readAt":"2026-01-02T03:04:05.678+09:00"}`,
	} {
		assert.Equal(t, reply{OK: true}, call[reply](t, c, event, json.RawMessage(payload)), event)
	}
}

func TestEcho_returnsArguments(t *testing.T) {
	c, _, _ := client(t, start(t, chattest.Config{}), conn.Config{})
	args := []any{json.RawMessage(`{"n":12345678901234567890,"<b>":[null,1.50]}`), "two", nil}
	echoed := call[conn.Args](t, c, "echo", args...)
	require.Len(t, echoed, 3)
	assert.Contains(t, string(echoed[0]), "12345678901234567890")
	assert.JSONEq(t, string(args[0].(json.RawMessage)), string(echoed[0]))
	assert.Equal(t, []string{`"two"`, `null`}, []string{string(echoed[1]), string(echoed[2])})
}

func TestServer_rejectsInvalidPayload(t *testing.T) {
	c, heard := joined(t, start(t, chattest.Config{}), "room-1", "ada")
	for event, payload := range map[string]string{
		"user:message": `{"chatId":"room-1","messageId":"m1","userId":"ada"}`,
		"chat:join":    `"room-1"`,
		"ai:abort":     `[]`,
	} {
		answer := call[reply](t, c, event, json.RawMessage(payload))
		assert.False(t, answer.OK, event)
		assert.NotEmpty(t, answer.Error, event)
		problem := wiretest.ReceiveFrom(t, heard)
		assert.Equal(t, "error", problem.Name)
		assert.Contains(t, string(problem.Args[0]), `"event":"`+event+`"`)
	}
}

func TestNames_renamesEvents(t *testing.T) {
	server := start(t, chattest.Config{Names: map[events.Key]string{
		events.KeyUserMessage: "chat/user_message",
		events.KeyAIToken:     "llm:delta",
	}})
	c, heard := joined(t, server, "room-1", "ada")
	require.NoError(t, c.Emit(t.Context(), "user:message", question("room-1", "r1")))
	require.NoError(t, c.Emit(t.Context(), "chat/user_message", question("room-1", "r2")))
	before, answer := until(t, heard, "ai:message")
	assert.Equal(t, []string{"chat:message", "ai:processing", "ai:processing",
		"llm:delta", "llm:delta", "llm:delta", "llm:delta", "llm:delta"}, before)
	assert.Equal(t, "r2", as[events.AIMessage](t, answer).RequestID)
}

func TestDiscovery_returnsNames(t *testing.T) {
	server := start(t, chattest.Config{Names: map[events.Key]string{events.KeyAIToken: "llm:delta"}})
	c, _, _ := client(t, server, conn.Config{})
	names := conn.On[map[events.Key]string](c, "meta:events:response").Chan(t.Context())
	require.NoError(t, c.Emit(t.Context(), "meta:events:request", map[string]string{"chatId": "room-1"}))
	told := wiretest.ReceiveFrom(t, names)
	assert.Equal(t, "llm:delta", told[events.KeyAIToken])
	assert.Equal(t, "chat:join", told[events.KeyJoin])
}
