package main

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/events"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestRun_callsTool(t *testing.T) {
	server := chattest.NewServer(chattest.Config{
		Answer: func(ctx context.Context, q events.UserMessage, emit func(events.Event)) {
			result, err := chattest.CallTool(ctx, events.AIToolCall{
				CallID: "c1", ToolName: "multiply", Args: json.RawMessage(`{"a":6,"b":7}`),
			})
			if err != nil {
				emit(events.AIError{Code: "E_TOOL", Message: err.Error()})
				return
			}
			chattest.Say("It is "+string(result)+".", 0)(ctx, q, emit)
		},
	})
	defer server.Close()
	var out strings.Builder
	if err := run(t.Context(), &out, server.URL, "What is 6 times 7?"); err != nil {
		t.Fatal(err)
	}
	if want := "[multiply {\"a\":6,\"b\":7}]\nIt is 42.\n"; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}
