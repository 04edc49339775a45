// Tools asks a question, and answers the tool calls of the AI.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/events"
)

func main() {
	url := flag.String("url", "http://localhost:4000", "`URL` of the backend")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdout, *url, "What is 6 times 7?"); err != nil {
		log.Fatal(err)
	}
}

type factors struct {
	A int `json:"a"`
	B int `json:"b"`
}

func multiply(_ context.Context, f factors) (int, error) { return f.A * f.B, nil }

func run(ctx context.Context, out io.Writer, url, question string) error {
	client, err := chat.New(url, chat.Config{ChatID: events.StringID("room-1")})
	if err != nil {
		return err
	}
	defer client.Close()
	chat.HandleTool(client, "multiply", multiply)
	go client.Run(ctx) // ends with client.Close

	stream, err := client.Ask(ctx, chat.Question{UserID: events.StringID("u1"), Text: question})
	if err != nil {
		return err
	}
	for event, err := range stream.Events() {
		if err != nil {
			return err
		}
		switch event := event.(type) {
		case events.AIToolCall:
			fmt.Fprintf(out, "[%s %s]\n", event.ToolName, event.Args)
		case events.AIToken:
			fmt.Fprint(out, event.Token)
		case events.AIMessage:
			fmt.Fprintln(out)
		}
	}
	return nil
}
