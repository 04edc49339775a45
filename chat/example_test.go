package chat_test

import (
	"context"
	"fmt"
	"time"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/events"
)

// start starts a backend and a client that runs until stop is called. A
// program would give chat.New the URL of its own backend.
func start(cfg chat.Config) (ctx context.Context, client *chat.Client, stop func()) {
	ctx, client, _, stop = startWith(chattest.Config{}, cfg)
	return ctx, client, stop
}

// startWith is start for a backend with a script of its own.
func startWith(backend chattest.Config, cfg chat.Config) (ctx context.Context, client *chat.Client, server *chattest.Server, stop func()) {
	server = chattest.NewServer(backend)
	if cfg.ChatID.IsZero() {
		cfg.ChatID = events.StringID("room-1")
	}
	client, err := chat.New(server.URL, cfg)
	if err != nil {
		panic(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	go client.Run(ctx)
	return ctx, client, server, func() {
		client.Close()
		cancel()
		server.Close()
	}
}

// Channels in a select loop.
func Example() {
	server := chattest.NewServer(chattest.Config{Answer: chattest.Say("Hello yourself.", 0)})
	defer server.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	client, err := chat.New(server.URL, chat.Config{ChatID: events.StringID("room-1")})
	if err != nil {
		fmt.Println(err) // a bad URL or a contradictory Config
		return
	}
	defer client.Close()
	tokens := client.Tokens.Chan(ctx) // subscribing before Run loses nothing
	messages := client.Messages.Chan(ctx)
	done := make(chan error, 1)
	go func() { done <- client.Run(ctx) }() // nil after ctx has ended, or an error

	if err := client.Ready(ctx); err != nil { // connected, room joined
		fmt.Println(err)
		return
	}
	err = client.SendMessage(ctx, events.UserMessage{MessageID: "m1", UserID: events.StringID("u1"), Text: "Hello"})
	if err != nil {
		fmt.Println(err)
		return
	}
	for received := 0; received < 2; {
		select {
		case token, ok := <-tokens:
			if !ok { // ctx has ended
				return
			}
			fmt.Printf("token %d: %q\n", token.Index, token.Token)
			received++
		case _, ok := <-messages: // may arrive before the last tokens: see Client.Events
			if !ok {
				return
			}
		case err := <-done:
			fmt.Println("ended:", err)
			return
		}
	}
	// Output:
	// token 0: "Hello "
	// token 1: "yourself."
}

// The program that the README begins with.
func ask(ctx context.Context, url, question string) error {
	client, err := chat.New(url, chat.Config{ChatID: events.StringID("room-1")})
	if err != nil {
		return err
	}
	defer client.Close()
	go client.Run(ctx)
	stream, err := client.Ask(ctx, chat.Question{UserID: events.StringID("u1"), Text: question})
	if err != nil {
		return err
	}
	for token := range stream.Tokens() { // <-chan events.AIToken
		fmt.Print(token.Token)
	}
	_, err = stream.Wait() // the final message, or an error
	return err
}

// The final message, or an error.
func ExampleStream_Wait() {
	server := chattest.NewServer(chattest.Config{Answer: chattest.Say("Hello yourself.", 0)})
	defer server.Close()
	fmt.Println("", ask(context.Background(), server.URL, "Hello"))
	// Output: Hello yourself. <nil>
}
