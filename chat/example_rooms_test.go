package chat_test

import (
	"errors"
	"fmt"
	"time"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/events"
)

// Further rooms on the same connection: joined again after each connect.
func ExampleClient_Join() {
	ctx, client, server, stop := startWith(chattest.Config{}, chat.Config{})
	defer stop()
	second := events.StringID("room-2")
	if err := client.Join(ctx, second); err != nil {
		fmt.Println(err)
		return
	}
	message, err := client.Answer(ctx, chat.Question{ChatID: second, UserID: events.StringID("u1"), Text: "Hello"})
	fmt.Println(message.ChatID, message.Text, err)

	server.CloseClientConnections()
	for range 4 { // two before, two after
		fmt.Println(server.Next(ctx, "chat:join"))
	}
	// Output:
	// room-2 You said: Hello <nil>
	// chat:join [{"chatId":"room-1"}] <nil>
	// chat:join [{"chatId":"room-2"}] <nil>
	// chat:join [{"chatId":"room-1"}] <nil>
	// chat:join [{"chatId":"room-2"}] <nil>
}

// A room that the server refuses.
func ExampleJoinError() {
	ctx, client, server, stop := startWith(chattest.Config{}, chat.Config{JoinTimeout: time.Second})
	defer stop()
	if err := client.Ready(ctx); err != nil { // its own room is joined, and acknowledged
		fmt.Println(err)
		return
	}
	server.Handle("chat:join", chattest.Refuse(errors.New("members only")))
	err := client.Join(ctx, events.StringID("room-2"))
	var refused *chat.JoinError
	if errors.As(err, &refused) {
		fmt.Println(refused.ChatID, string(refused.Reply))
	}
	// The client continues. A refusal of its own room would have ended Run.
	fmt.Println(client.State().Phase)
	// Output:
	// room-2 {"ok":false,"error":"members only"}
	// ready
}

func ExampleClient_Leave() {
	ctx, client, server, stop := startWith(chattest.Config{}, chat.Config{})
	defer stop()
	second := events.StringID("room-2")
	if err := client.Join(ctx, second); err != nil {
		fmt.Println(err)
		return
	}
	if err := client.Leave(ctx, second); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(server.Next(ctx, "chat:leave"))
	// Output: chat:leave [{"chatId":"room-2"}] <nil>
}

// Every topic carries all rooms; a subscription can be limited to one.
func ExampleInRoom() {
	ctx, client, server, stop := startWith(chattest.Config{}, chat.Config{})
	defer stop()
	first, second := events.StringID("room-1"), events.StringID("room-2")
	if err := client.Join(ctx, second); err != nil {
		fmt.Println(err)
		return
	}
	messages := client.ChatMessages.Chan(ctx, chat.InRoom[events.ChatMessage](second))
	if _, err := server.Next(ctx, "chat:join"); err != nil {
		fmt.Println(err)
		return
	}
	if _, err := server.Next(ctx, "chat:join"); err != nil { // the backend has received both
		fmt.Println(err)
		return
	}
	server.Emit(first, events.ChatMessage{MessageID: "m1", UserID: events.StringID("ada"), Text: "in the first"})
	server.Emit(second, events.ChatMessage{MessageID: "m2", UserID: events.StringID("ada"), Text: "in the second"})
	fmt.Println((<-messages).Text)
	// Output: in the second
}
