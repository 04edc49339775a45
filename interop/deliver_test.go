package interop

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDeliver_resendsAfterLostAcknowledgement(t *testing.T) {
	client, _ := startClient(t, startBackend(t).URL(), chat.Config{})
	processed := client.ChatMessages.Chan(t.Context())
	states := client.States.Chan(t.Context())

	// The server processes /close, and closes the connection without an
	// acknowledgement.
	replies := make(chan string, 1)
	go func() {
		reply, err := client.Deliver(wiretest.Context(t), events.UserMessage{MessageID: "m1", UserID: user, Text: "/close"})
		assert.NoError(t, err)
		replies <- string(reply)
	}()
	assert.Equal(t, "m1", wiretest.ReceiveFrom(t, processed).MessageID)
	wiretest.ReceivePhase(t, states, conn.Waiting)
	second, err := client.Deliver(wiretest.Context(t), events.UserMessage{MessageID: "m2", UserID: user, Text: "/tokens 1 0"})
	require.NoError(t, err)
	assert.JSONEq(t, `{"ok":true,"messageId":"m1","again":true}`, wiretest.ReceiveFrom(t, replies))
	assert.JSONEq(t, `{"ok":true,"messageId":"m2","again":false}`, string(second))

	assert.Equal(t, "m2", wiretest.ReceiveFrom(t, processed).MessageID, "m1 was processed once")
	first := `user:message [{"chatId":"room-1","messageId":"m1","userId":"u1","text":"/close"}]`
	assert.Equal(t, []string{
		first,
		first, // each attempt has the same id
		`user:message [{"chatId":"room-1","messageId":"m2","userId":"u1","text":"/tokens 1 0"}]`,
	}, of(received(t, client), "user:message"))
}

func TestDeliver_returnsDeliveryError(t *testing.T) {
	backend := startBackend(t)
	client, _ := startClient(t, backend.URL(), chat.Config{Delivery: chat.Delivery{MaxAttempts: 1}})
	_, err := client.Deliver(wiretest.Context(t), events.UserMessage{MessageID: "m1", UserID: user, Text: "/close"})
	var failed *chat.DeliveryError
	require.ErrorAs(t, err, &failed)
	assert.Equal(t, "m1", failed.Message.MessageID)
	assert.Equal(t, 1, failed.Attempts)
	assert.True(t, failed.MaybeSent)
	assert.ErrorIs(t, err, conn.ErrSessionLost)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = client.Deliver(ctx, events.UserMessage{MessageID: "m2", UserID: user, Text: "never"})
	require.ErrorAs(t, err, &failed)
	assert.ErrorIs(t, err, context.Canceled)
	assert.False(t, failed.MaybeSent)
	assert.Len(t, of(received(t, client), "user:message"), 1, "m1 is not sent again, and m2 is not sent")
}

func TestSendMessage_doesNotResendAfterReconnect(t *testing.T) {
	client, _ := startClient(t, startBackend(t).URL(), chat.Config{})
	states := client.States.Chan(t.Context())
	require.NoError(t, client.SendMessage(wiretest.Context(t), events.UserMessage{MessageID: "m1", UserID: user, Text: "/close"}))
	wiretest.ReceivePhase(t, states, conn.Waiting)
	wiretest.ReceivePhase(t, states, conn.Ready)
	_, err := conn.Call[json.RawMessage](wiretest.Context(t), client.Conn(), "echo", 1) // follows all sent events
	require.NoError(t, err)
	assert.Len(t, of(received(t, client), "user:message"), 1)
}
