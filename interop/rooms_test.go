package interop

import (
	"context"
	"testing"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPresenceIsHeard(t *testing.T) {
	backend := startBackend(t)
	auth := func(id string) conn.Config {
		return conn.Config{Auth: func(context.Context) (any, error) { return map[string]string{"userId": id}, nil }}
	}
	first, _ := startClient(t, backend.URL(), chat.Config{Conn: auth("u1")})
	presence := first.Presence.Chan(t.Context())
	require.NoError(t, first.Ready(within(t)))
	assert.Equal(t, []events.ID{events.StringID("u1")}, receiveFrom(t, presence).OnlineUserIDs)
	second, _ := startClient(t, backend.URL(), chat.Config{Conn: auth("u2")})
	require.NoError(t, second.Ready(within(t)))
	assert.ElementsMatch(t, []events.ID{events.StringID("u1"), events.StringID("u2")}, receiveFrom(t, presence).OnlineUserIDs)
	second.Close()
	assert.Equal(t, []events.ID{events.StringID("u1")}, receiveFrom(t, presence).OnlineUserIDs)
}

func TestABackendWithoutRoomsIsNotJoined(t *testing.T) {
	client, _ := startClient(t, startBackend(t).URL(), chat.Config{NoJoin: true})
	stream, err := client.Ask(within(t), chat.Question{UserID: user, Text: "hi", RequestID: "r1", MessageID: "m1"})
	require.NoError(t, err)
	message, err := stream.Wait()
	require.NoError(t, err)
	assert.Equal(t, "You said: hi", message.Text)
	assert.Equal(t, []string{`user:message [{"messageId":"m1","requestId":"r1","text":"hi","userId":"u1"}]`}, received(t, client))
}
