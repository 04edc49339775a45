package interop

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

type query struct {
	Query string `json:"query"`
}

type found struct {
	Found []string `json:"found"`
}

func TestHandle_acknowledgesToolCall(t *testing.T) {
	client, _ := startClient(t, startBackend(t).URL(), chat.Config{})
	defer conn.Handle(client.Conn(), "ai:tool_call", func(_ context.Context, call events.AIToolCall) (found, error) {
		return found{[]string{call.ToolName, string(call.Args)}}, nil
	})()
	assert.JSONEq(t, `[{"found":["search","{\"query\":\"/toolack\"}"]}]`, acknowledged(t, client))
}

// acknowledged asks a question upon which the server calls a tool and requests
// an acknowledgement. It returns the arguments of the acknowledgement.
func acknowledged(t *testing.T, client *chat.Client) string {
	t.Helper()
	acked := chat.On[struct{ Args json.RawMessage }](client, "tool:acked").Chan(t.Context())
	message, err := client.Answer(wiretest.Context(t), chat.Question{UserID: user, Text: "/toolack"})
	require.NoError(t, err)
	assert.Equal(t, "You said: /toolack", message.Text, "the answer continues after any reply of the tool")
	return string(wiretest.ReceiveFrom(t, acked).Args)
}

func TestHandleTool_repliesByAcknowledgement(t *testing.T) {
	client, _ := startClient(t, startBackend(t).URL(), chat.Config{})
	remove := chat.HandleTool(client, "search", func(_ context.Context, args query) (found, error) {
		return found{[]string{args.Query}}, nil
	})
	assert.JSONEq(t, `[{"found":["/toolack"]}]`, acknowledged(t, client))
	assert.Empty(t, of(received(t, client), "ai:tool_result"), "the acknowledgement is the only reply")

	remove()
	chat.HandleTool(client, "search", func(context.Context, query) (found, error) { return found{}, errors.New("no index") })
	assert.JSONEq(t, `[{"error":"no index"}]`, acknowledged(t, client))
	chat.HandleTool(client, "search", func(context.Context, query) (found, error) {
		return found{}, &conn.ReplyError{Reply: map[string]int{"code": 5}}
	})
	assert.JSONEq(t, `[{"code":5}]`, acknowledged(t, client))
	chat.HandleTool(client, "search", func(context.Context, query) (found, error) { panic("oh") })
	assert.JSONEq(t, `[{"error":"tool \"search\" has panicked"}]`, acknowledged(t, client))
	chat.HandleTool(client, "search", func(context.Context, struct{ Query int }) (found, error) { return found{}, nil })
	assert.Contains(t, acknowledged(t, client), `args of tool \"search\"`)
}

func TestHandleTool_sendsResultEventWithoutAcknowledgement(t *testing.T) {
	for name, tc := range map[string]struct {
		cfg   chat.Tools
		tool  func(context.Context, query) (found, error)
		event string
		want  string
	}{
		"a result": {
			tool:  func(_ context.Context, args query) (found, error) { return found{[]string{args.Query}}, nil },
			event: "ai:tool_result", want: `"result":{"found":["/tool"]}`,
		},
		"an error under another name": {
			cfg:   chat.Tools{ResultEvent: "tool:done"},
			tool:  func(context.Context, query) (found, error) { return found{}, errors.New("no index") },
			event: "tool:done", want: `"error":"no index"`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			client, _ := startClient(t, startBackend(t).URL(), chat.Config{Tools: tc.cfg})
			chat.HandleTool(client, "search", tc.tool)
			calls := client.ToolCalls.Chan(t.Context())
			stream, err := client.Ask(wiretest.Context(t), chat.Question{UserID: user, Text: "/tool"})
			require.NoError(t, err)
			call := wiretest.ReceiveFrom(t, calls)
			var reports []string
			for len(reports) == 0 { // the tool runs concurrently
				reports = of(received(t, client), tc.event)
			}
			assert.Len(t, reports, 1)
			for _, member := range []string{
				`"chatId":"room-1"`, `"requestId":"` + stream.RequestID() + `"`,
				`"callId":"` + call.CallID + `"`, `"toolName":"search"`, tc.want,
			} {
				assert.Contains(t, reports[0], member)
			}
		})
	}
}

func TestAbort_cancelsToolsOfRequest(t *testing.T) {
	client, _ := startClient(t, startBackend(t).URL(), chat.Config{})
	running, ended := make(chan struct{}, 1), make(chan error, 1)
	chat.HandleTool(client, "search", func(ctx context.Context, _ query) (found, error) {
		running <- struct{}{}
		<-ctx.Done()
		ended <- ctx.Err()
		return found{}, ctx.Err()
	})
	stream, err := client.Ask(wiretest.Context(t), chat.Question{UserID: user, Text: "/toolack"})
	require.NoError(t, err)
	wiretest.ReceiveFrom(t, running)
	stream.Abort("changed my mind")
	assert.ErrorIs(t, wiretest.ReceiveFrom(t, ended), context.Canceled)
	aborts := of(received(t, client), "ai:abort")
	require.Len(t, aborts, 1)
	assert.Contains(t, aborts[0], stream.RequestID())
	assert.Contains(t, aborts[0], `"reason":"changed my mind"`)
}
