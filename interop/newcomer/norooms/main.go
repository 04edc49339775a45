// Norooms asks a backend that has no rooms, other names for its events, and
// tokens that expire.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net/url"
	"os"
	"os/signal"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
)

func main() {
	address := flag.String("url", "http://localhost:4000", "`URL` of the backend")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	token := func(context.Context) (string, error) { return os.Getenv("CHAT_TOKEN"), nil }
	if err := run(ctx, os.Stdout, *address, "abc-123", token); err != nil {
		log.Fatal(err)
	}
}

// run asks about a consultation. It calls token before each attempt to connect.
func run(ctx context.Context, out io.Writer, address, consultation string, token func(context.Context) (string, error)) error {
	client, err := chat.New(address, chat.Config{
		NoJoin: true,
		Meta:   map[string]any{"consultationId": consultation},
		Names:  map[events.Key]string{events.KeyAIToken: "llm:delta", events.KeyAIMessage: "llm:final"},
		Conn: conn.Config{
			Query: url.Values{"consultationId": {consultation}},
			Auth: func(ctx context.Context) (any, error) {
				t, err := token(ctx)
				return map[string]string{"token": t}, err
			},
			Retry: func(err error) bool {
				var refused *conn.RefusedError
				return errors.As(err, &refused) && refused.Message == "token expired"
			},
		},
	})
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() { cancel(client.Run(ctx)) }() // ends with client.Close

	stream, err := client.Ask(ctx, chat.Question{UserID: events.StringID("u1"), Text: "What is this about?"})
	if err != nil {
		return err
	}
	for token := range stream.Tokens() {
		fmt.Fprint(out, token.Token)
	}
	message, err := stream.Wait()
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\n(%d characters)\n", len(message.Text))
	return nil
}
