package chat_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/reconnect"
)

// A backend without rooms, with parameters and names of its own.
func Example_ownNames() {
	server := chattest.NewServer(chattest.Config{
		Names: map[events.Key]string{
			events.KeyUserMessage: "chat/user_message",
			events.KeyAIToken:     "llm:delta",
			events.KeyAIMessage:   "llm:final",
		},
		Auth: func(auth map[string]any) error {
			if auth["token"] != "fresh" {
				return fmt.Errorf("who is that?")
			}
			return nil
		},
	})
	defer server.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	client, err := chat.New(server.URL, chat.Config{
		NoJoin: true,
		Meta:   map[string]any{"consultationId": "abc-123"},
		Names:  map[events.Key]string{events.KeyUserMessage: "chat/user_message", events.KeyAIToken: "llm:delta"},
		Conn: conn.Config{
			Query:      url.Values{"consultationId": {"abc-123"}},
			Auth:       func(context.Context) (any, error) { return map[string]string{"token": "fresh"}, nil },
			Header:     http.Header{"X-Tenant": {"acme"}},
			Transports: []string{"websocket"},
			Reconnect:  reconnect.Policy{InitialInterval: 100 * time.Millisecond},
			Retry:      func(err error) bool { return false }, // for errors that end Run by default
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	go client.Run(ctx)

	// At once, for sending and for receiving.
	if err := client.SetNames(map[events.Key]string{events.KeyAIMessage: "llm:final"}); err != nil {
		fmt.Println(err)
		return
	}
	stream, err := client.Ask(ctx, chat.Question{UserID: events.StringID("u1"), Text: "Hello"})
	if err != nil {
		fmt.Println(err)
		return
	}
	message, err := stream.Wait()
	fmt.Println(message.Text, err)
	// Output: You said: Hello <nil>
}

// SetNames changes names at run time, for sending and for receiving.
func ExampleClient_SetNames() {
	ctx, client, server, stop := startWith(chattest.Config{}, chat.Config{})
	defer stop()
	tokens := client.Tokens.Chan(ctx)
	err := client.SetNames(map[events.Key]string{events.KeyAIToken: "llm:delta", events.KeyAIAbort: "llm:stop"})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := client.Abort(ctx, events.Abort{}); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(server.Next(ctx, "llm:stop"))
	if err := server.Sockets()[0].Emit(ctx, "llm:delta", events.AIToken{Token: "Hi"}); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println((<-tokens).Token)
	// Output:
	// llm:stop [{"chatId":"room-1"}] <nil>
	// Hi
}

// The backend sends its names before the room is joined.
func ExampleDiscovery() {
	names := map[events.Key]string{events.KeyJoin: "room:enter", events.KeyUserMessage: "say", events.KeyAIMessage: "llm:final"}
	ctx, client, server, stop := startWith(chattest.Config{Names: names}, chat.Config{Discovery: chat.Discovery{Enabled: true}})
	defer stop()
	message, err := client.Answer(ctx, chat.Question{UserID: events.StringID("u1"), Text: "Hello"})
	fmt.Println(message.Text, err)
	fmt.Println(server.Received("room:enter"))
	fmt.Println((<-client.Names.Chan(ctx))[events.KeyAIMessage])
	// Output:
	// You said: Hello <nil>
	// [room:enter [{"chatId":"room-1"}]]
	// llm:final
}

// A rule for every name, in place of a list.
func ExampleConfig_nameFunc() {
	ctx, client, server, stop := startWith(chattest.Config{}, chat.Config{
		NameFunc: func(key events.Key, name string) string { return "v2/" + name },
	})
	defer stop()
	if err := client.Ready(ctx); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(server.Next(ctx, "v2/chat:join"))
	// Output: v2/chat:join [{"chatId":"room-1"}] <nil>
}
