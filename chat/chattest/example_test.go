package chattest_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
)

// The backend emits a tool call and its result before it answers.
func Example() {
	server := chattest.NewServer(chattest.Config{
		Answer: func(ctx context.Context, q events.UserMessage, emit func(events.Event)) {
			emit(events.AIToolCall{CallID: "c1", ToolName: "clock", Args: []byte(`{"zone":"Asia/Tokyo"}`)})
			emit(events.AIToolResult{CallID: "c1", ToolName: "clock", Result: []byte(`"noon"`)})
			chattest.Say("It is noon.", time.Millisecond)(ctx, q, emit)
		},
	})
	defer server.Close()

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	client, err := chat.New(server.URL, chat.Config{ChatID: events.StringID("room-1")})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	heard := client.Events.Chan(ctx)
	go client.Run(ctx)
	err = client.SendMessage(ctx, events.UserMessage{
		MessageID: "m1", UserID: events.StringID("ada"), Text: "What time is it in Tokyo?",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for ev := range heard {
		switch ev := ev.(type) {
		case events.AIToolCall:
			fmt.Printf("%s(%s)\n", ev.ToolName, ev.Args)
		case events.AIToken:
			fmt.Printf("%q\n", ev.Token)
		case events.AIMessage:
			fmt.Println(ev.Text)
			return
		}
	}
	// Output:
	// clock({"zone":"Asia/Tokyo"})
	// "It "
	// "is "
	// "noon."
	// It is noon.
}

// A client aborts an answer, which ends the context of the answer.
func ExampleAnswer() {
	aborted := make(chan struct{})
	server := chattest.NewServer(chattest.Config{
		Answer: func(ctx context.Context, q events.UserMessage, emit func(events.Event)) {
			emit(events.AIToken{Token: "Once upon a time "})
			<-ctx.Done()
			close(aborted)
		},
	})
	defer server.Close()

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	client, err := chat.New(server.URL, chat.Config{ChatID: events.StringID("room-1")})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	go client.Run(ctx)

	asking, giveUp := context.WithCancel(ctx)
	defer giveUp()
	stream, err := client.Ask(asking, chat.Question{UserID: events.StringID("ada"), Text: "Tell me a story."})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%q\n", (<-stream.Tokens()).Token)
	giveUp() // sends ai:abort
	<-aborted
	_, err = stream.Wait()
	fmt.Println(err)
	// Output:
	// "Once upon a time "
	// context canceled
}

// The network fails, and the client reconnects.
func ExampleServer_CloseClientConnections() {
	server := chattest.NewServer(chattest.Config{})
	defer server.Close()

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	client, err := chat.New(server.URL, chat.Config{ChatID: events.StringID("room-1")})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	presence := client.Presence.Chan(ctx)
	go client.Run(ctx)

	<-presence // it has joined
	server.CloseClientConnections()
	<-presence // it has reconnected, and joined again
	fmt.Println("back, with", client.Ready(ctx))
	// Output: back, with <nil>
}

// A client without the right token is refused.
func ExampleConfig() {
	server := chattest.NewServer(chattest.Config{
		Auth: func(auth map[string]any) error {
			if auth["token"] != "sesame" {
				return &conn.RefusedError{Message: "wrong token", Data: []byte(`{"code":401}`)}
			}
			return nil
		},
	})
	defer server.Close()

	client, err := chat.New(server.URL, chat.Config{ChatID: events.StringID("room-1")})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	refused, ok := errors.AsType[*conn.RefusedError](client.Run(context.Background()))
	fmt.Println(ok, refused.Message, string(refused.Data))
	// Output: true wrong token {"code":401}
}
