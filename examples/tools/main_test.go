package main

import (
	"context"
	"strings"
	"testing"

	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/examples/internal/exampletest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) { exampletest.Main(m, main) }

func TestTools_reportsMissingServer(t *testing.T) {
	exampletest.ReportsMissingServer(t, "connection refused", 1, "-url", exampletest.NoServer)
}

func TestTools_answersWithToolResult(t *testing.T) {
	assert.Equal(t, `The tool says {"celsius":7,"sky":"cloudy"}`+"\n", answer(t, "", "What is the weather in Oslo?"))
}

func TestTools_returnsToolErrorToBackend(t *testing.T) {
	assert.Equal(t, `The tool says {"error":"no weather station in \"Atlantis\""}`+"\n",
		answer(t, "", "What is the weather in Atlantis?"))
}

func TestTools_rejectsUnknownToolOrArguments(t *testing.T) {
	for name, call := range map[string]events.AIToolCall{
		"another tool":    {CallID: "c", ToolName: "traffic", Args: []byte(`{}`)},
		"other arguments": {CallID: "c", ToolName: "weather", Args: []byte(`{"city":1}`)},
	} {
		t.Run(name, func(t *testing.T) {
			server := chattest.NewServer(chattest.Config{
				Answer: func(ctx context.Context, q events.UserMessage, emit func(events.Event)) {
					result, err := chattest.CallTool(ctx, call)
					assert.NoError(t, err)
					chattest.Say(string(result), 0)(ctx, q, emit)
				},
			})
			defer server.Close()
			assert.Contains(t, answer(t, server.URL, "Well?"), `{"error":`)
		})
	}
}

func answer(t *testing.T, url, question string) string {
	t.Helper()
	var out strings.Builder
	require.NoError(t, run(t.Context(), &out, url, "room-1", question))
	return out.String()
}
