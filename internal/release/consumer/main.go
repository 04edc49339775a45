// Consumer is a program as a user of the root module may write it: a client
// asks a backend in the same process. The release check builds it outside of
// the repository.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/events"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "consumer:", err)
		os.Exit(1)
	}
}

func run() error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	server := chattest.NewServer(chattest.Config{Answer: chattest.Say("The answer of the backend.", 0)})
	defer server.Close()
	client, err := chat.New(server.URL, chat.Config{ChatID: events.StringID("room-1")})
	if err != nil {
		return err
	}
	defer client.Close()
	go client.Run(ctx)
	stream, err := client.Ask(ctx, chat.Question{UserID: events.StringID("u1"), Text: "Hello?"})
	if err != nil {
		return err
	}
	message, err := stream.Wait()
	fmt.Println(message.Text)
	return err
}
