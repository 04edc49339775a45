// Quickstart asks an AI chat backend a question and prints the answer as it
// streams in. Without -url it starts a backend in its own process:
//
//	go run ./examples/quickstart
//
// With -url it uses a running backend:
//
//	go run ./examples/quickstart -url http://localhost:4000 -chat room-1 -user u1 "Hello?"
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/examples/internal/usage"
	"github.com/seed67206a74/parley/reconnect"
)

// answer is the text that the backend in this process streams.
const answer = "A parley is a conversation between sides that want to agree. " +
	"This one runs over Socket.IO: each word is an event, and each event a value on a Go channel."

func main() {
	usage.Set("quickstart [flags] [question]", "Quickstart asks an AI chat backend a question and prints the answer as it streams in.")
	url := flag.String("url", "", "the backend's `URL`; if empty, a backend is started in this process")
	room := flag.String("chat", "room-1", "the chat's `id`")
	user := flag.String("user", "u1", "the user's `id`")
	flag.Parse()
	question := strings.Join(flag.Args(), " ")
	if question == "" {
		question = "What can you tell me about parley?"
	}

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Stdout, *url, *room, *user, question)
	switch {
	case ctx.Err() != nil:
		err = errors.New("interrupted")
	case err == nil:
		return
	}
	fmt.Fprintln(os.Stderr, "quickstart:", err)
	os.Exit(1)
}

func run(ctx context.Context, out io.Writer, url, room, user, question string) error {
	config := chat.Config{
		ChatID: events.StringID(room),
		Conn: conn.Config{
			// Report the first failure instead of trying again.
			Reconnect:        reconnect.Policy{MaxAttempts: -1},
			HandshakeTimeout: 5 * time.Second,
			Logger:           slog.New(slog.DiscardHandler),
		},
	}
	if url == "" {
		server, err := chattest.Start("", chattest.Config{Answer: chattest.Say(answer, 60*time.Millisecond)})
		if err != nil {
			return err
		}
		defer server.Close()
		url = server.URL
	}

	client, err := chat.New(url, config)
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- client.Run(ctx) }()
	defer func() {
		client.Close()
		<-ended
	}()
	if err := client.Ready(ctx); err != nil {
		return err
	}
	fmt.Fprintf(out, "%s: %s\n", user, question)
	return ask(ctx, out, client, chat.Question{UserID: events.StringID(user), Text: question})
}

func ask(ctx context.Context, out io.Writer, client *chat.Client, question chat.Question) error {
	statuses := client.Processing.Chan(ctx)
	stream, err := client.Ask(ctx, question)
	if err != nil {
		return err
	}
	for tokens := stream.Tokens(); tokens != nil; {
		select {
		case status, open := <-statuses:
			if !open {
				statuses = nil
				break
			}
			fmt.Fprintf(out, "(%s)\n", status.Status)
		case token, open := <-tokens:
			if !open {
				tokens = nil
				break
			}
			fmt.Fprint(out, token.Token)
		}
	}
	message, err := stream.Wait()
	fmt.Fprintln(out)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\nanswer %s, %d characters", message.MessageID, len(message.Text))
	if message.Usage != nil {
		fmt.Fprintf(out, ", tokens: %d prompt + %d completion = %d",
			message.Usage.PromptTokens, message.Usage.CompletionTokens, message.Usage.TotalTokens)
	}
	fmt.Fprintln(out)
	return nil
}
