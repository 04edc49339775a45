package chat_test

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
)

// Every event of the chat in wire order, on one channel: here the final
// message cannot overtake a token.
func Example_events() {
	ctx, client, stop := start(chat.Config{})
	defer stop()

	all := client.Events.Chan(ctx)
	err := client.SendMessage(ctx, events.UserMessage{MessageID: "m1", UserID: events.StringID("u1"), Text: "Hi"})
	if err != nil {
		fmt.Println(err)
		return
	}
	for event := range all {
		switch event := event.(type) {
		case events.AIProcessing:
			fmt.Println("status:", event.Status)
		case events.AIToken:
			fmt.Printf("token: %q\n", event.Token)
		case events.AIMessage:
			fmt.Printf("message: %q\n", event.Text)
			return
		case events.AIError:
			fmt.Println(event.Message)
			return
		}
	}
	// Output:
	// status: queued
	// status: working
	// token: "You "
	// token: "said: "
	// token: "Hi"
	// message: "You said: Hi"
}

// Each subscription has its own policy for a slow reader, which delays neither
// other readers nor the socket.
func Example_slowReader() {
	ctx, client, stop := start(chat.Config{})
	defer stop()

	sub := client.Tokens.Subscribe(ctx, bus.Limit(2), bus.OnOverflow(bus.DropOldest))
	stream, err := client.Ask(ctx, chat.Question{UserID: events.StringID("u1"), Text: "one two three"})
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := stream.Wait(); err != nil { // five tokens have arrived, none was read
		fmt.Println(err)
		return
	}
	stats := sub.Stats()
	fmt.Println("dropped", stats.Dropped, "pending", stats.Pending, "error", sub.Err())
	sub.Close()
	for token := range sub.C() {
		fmt.Printf("%q\n", token.Token)
	}
	fmt.Println(sub.Err())
	// Output:
	// dropped 3 pending 2 error <nil>
	// "two "
	// "three"
	// bus: closed
}

// Any event of the backend, decoded into a type of the program.
func ExampleOn() {
	ctx, client, stop := start(chat.Config{})
	defer stop()

	type names struct {
		Token string `json:"AI_TOKEN"`
	}
	answers := chat.On[names](client, "meta:events:response").Chan(ctx)
	if err := client.Emit(ctx, "meta:events:request", nil); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println((<-answers).Token)
	// Output: ai:token
}

// A payload of the wrong type reaches DecodeErrors and Raw, but no typed topic.
func Example_decodeErrors() {
	server := chattest.NewServer(chattest.Config{
		Answer: func(_ context.Context, _ events.UserMessage, emit func(events.Event)) {
			emit(events.AIToolCall{CallID: "c1", ToolName: "search", Args: json.RawMessage(`{"size":9007199254740993}`)})
		},
	})
	defer server.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	client, err := chat.New(server.URL, chat.Config{ChatID: events.IntID(7)})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()

	type wrong struct {
		CallID int `json:"callId"`
	}
	_ = chat.On[wrong](client, "ai:tool_call").Chan(ctx)
	failures := client.DecodeErrors.Chan(ctx)
	calls := client.ToolCalls.Chan(ctx)
	go client.Run(ctx)
	err = client.SendMessage(ctx, events.UserMessage{MessageID: "m1", UserID: events.StringID("u1"), Text: "Hi"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println((<-failures).Event)
	fmt.Println(string((<-calls).Args))
	// Output:
	// ai:tool_call
	// {"size":9007199254740993}
}

// Every event undecoded, with all its arguments.
func ExampleClient_raw() {
	ctx, client, server, stop := startWith(chattest.Config{}, chat.Config{})
	defer stop()
	all := client.Raw.Chan(ctx)
	if err := client.Ready(ctx); err != nil {
		fmt.Println(err)
		return
	}
	if err := server.Sockets()[0].Emit(ctx, "consultation-result", map[string]int{"score": 7}, "more"); err != nil {
		fmt.Println(err)
		return
	}
	for event := range all { // conn.Event{Name, Args, Attachments}
		if event.Name == "consultation-result" {
			fmt.Printf("%s %s\n", event.Name, event.Args)
			return
		}
	}
	// Output: consultation-result [{"score":7} "more"]
}

// Messages of users, and the users that are online.
func ExampleClient_people() {
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
	messages, presence := client.ChatMessages.Chan(ctx), client.Presence.Chan(ctx)
	go client.Run(ctx) // after the subscriptions, which then miss nothing
	fmt.Println(len((<-presence).OnlineUserIDs), "online")
	server.Emit(events.StringID("room-1"), events.ChatMessage{MessageID: "m1", UserID: events.StringID("ada"), Text: "Hi"})
	message := <-messages
	fmt.Println(message.UserID, "says", message.Text)
	// Output:
	// 1 online
	// ada says Hi
}

// The state of the connection, and its cause.
func ExampleClient_states() {
	ctx, client, server, stop := startWith(chattest.Config{}, chat.Config{})
	defer stop()
	if err := client.Ready(ctx); err != nil {
		fmt.Println(err)
		return
	}
	states := client.States.Chan(ctx) // the current one first
	for state := range states {
		fmt.Println(state.Phase)
		switch state.Phase {
		case conn.Ready:
			server.Sockets()[0].Disconnect()
		case conn.Stopped:
			fmt.Println(state.Err)
			return
		}
	}
	// Output:
	// ready
	// stopped
	// conn: disconnected by the server
}

// The server's own errors.
func ExampleClient_serverErrors() {
	ctx, client, stop := start(chat.Config{})
	defer stop()
	failures := client.ServerErrors.Chan(ctx)
	if err := client.Emit(ctx, "chat:read", map[string]any{"userId": true}); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println((<-failures).Message != "")
	// Output: true
}
