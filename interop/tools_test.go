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

func TestAToolCallIsAcknowledgedByItsHandler(t *testing.T) {
	client, _ := startClient(t, startBackend(t).URL(), chat.Config{})
	type result struct {
		Found []string `json:"found"`
	}
	defer conn.Handle(client.Conn(), "ai:tool_call", func(_ context.Context, call events.AIToolCall) (result, error) {
		return result{Found: []string{call.ToolName, string(call.Args)}}, nil
	})()
	acked := chat.Topic[struct {
		Args []result `json:"args"`
	}](client, "tool:acked").Chan(t.Context())
	_, err := client.Ask(within(t), chat.Question{UserID: user, Text: "/toolack"})
	require.NoError(t, err)
	assert.Equal(t, []string{"search", `{"query":"/toolack"}`}, receiveFrom(t, acked).Args[0].Found)
}
