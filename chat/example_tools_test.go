package chat_test

import (
	"context"
	"fmt"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/events"
)

// A tool that the backend can call, with typed args. The result is sent as the
// acknowledgement, or in an event.
func ExampleHandleTool() {
	asking := func(ctx context.Context, q events.UserMessage, emit func(events.Event)) {
		noon, err := chattest.CallTool(ctx, events.AIToolCall{CallID: "c1", ToolName: "clock", Args: []byte(`{"zone":"Asia/Tokyo"}`)})
		if err != nil {
			return
		}
		wrong, err := chattest.CallTool(ctx, events.AIToolCall{CallID: "c2", ToolName: "clock", Args: []byte(`{"zone":"Nowhere"}`)})
		if err != nil {
			return
		}
		chattest.Say(fmt.Sprintf("%s %s", noon, wrong), 0)(ctx, q, emit)
	}
	ctx, client, _, stop := startWith(chattest.Config{Answer: asking}, chat.Config{})
	defer stop()
	type args struct{ Zone string }
	type result struct {
		Time string `json:"time"`
	}
	// An abort cancels ctx.
	remove := chat.HandleTool(client, "clock", func(ctx context.Context, args args) (result, error) {
		if args.Zone != "Asia/Tokyo" {
			return result{}, fmt.Errorf("no such zone: %s", args.Zone)
		}
		return result{Time: "noon"}, nil
	})
	defer remove()
	message, err := client.Answer(ctx, chat.Question{UserID: events.StringID("u1"), Text: "What time is it?"})
	fmt.Println(message.Text, err)
	// Output: {"time":"noon"} {"error":"no such zone: Nowhere"} <nil>
}

// A backend that wants no acknowledgement gets the result as an event.
func ExampleHandleTool_event() {
	ctx, client, server, stop := startWith(chattest.Config{}, chat.Config{Tools: chat.Tools{ResultEvent: "tool:done"}})
	defer stop()
	chat.HandleTool(client, "double", func(_ context.Context, n int) (int, error) { return 2 * n, nil })
	if _, err := server.Next(ctx, "chat:join"); err != nil { // the client is in the room
		fmt.Println(err)
		return
	}
	server.Emit(events.StringID("room-1"), events.AIToolCall{CallID: "c1", ToolName: "double", Args: []byte("21")})
	fmt.Println(server.Next(ctx, "tool:done"))
	// Output: tool:done [{"callId":"c1","chatId":"room-1","result":42,"toolName":"double"}] <nil>
}
