package chattest_test

import (
	"testing"

	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSetNames_announcesNamesBeforeUse(t *testing.T) {
	server := start(t, chattest.Config{})
	ada, heard := joined(t, server, "room-1", "ada")
	server.Emit(events.StringID("room-1"), events.AIToken{Token: "before"})
	server.SetNames(map[events.Key]string{events.KeyAIToken: "llm:delta", events.KeyUserMessage: "say"})
	server.Emit(events.StringID("room-1"), events.AIToken{Token: "after"})

	assert.Equal(t, "ai:token", wiretest.ReceiveFrom(t, heard).Name)
	told := wiretest.ReceiveFrom(t, heard)
	require.Equal(t, "meta:events:response", told.Name)
	var names map[events.Key]string
	require.NoError(t, told.Decode(0, &names))
	assert.Equal(t, "llm:delta", names[events.KeyAIToken])
	assert.Equal(t, "chat:message", names[events.KeyChatMessage], "all names are told")
	assert.Equal(t, "llm:delta", wiretest.ReceiveFrom(t, heard).Name)

	require.NoError(t, ada.Emit(t.Context(), "user:message", question("room-1", "r1")), "a name that means nothing any more")
	require.NoError(t, ada.Emit(t.Context(), "say", question("room-1", "r2")))
	said := wiretest.ReceiveFrom(t, heard)
	require.Equal(t, "chat:message", said.Name)
	var message events.ChatMessage
	require.NoError(t, said.Decode(0, &message))
	assert.Equal(t, "r2", message.RequestID)
}

func TestRoom_returnsSocketsInRoom(t *testing.T) {
	server := start(t, chattest.Config{})
	joined(t, server, "room-1", "ada")
	joined(t, server, "room-1", "bob")
	joined(t, server, "room-2", "eve")
	var ids []string
	for _, k := range server.Room(events.StringID("room-1")) {
		ids = append(ids, k.UserID().String())
	}
	assert.Equal(t, []string{"ada", "bob"}, ids)
	assert.Empty(t, server.Room(events.StringID("room-3")))
}
