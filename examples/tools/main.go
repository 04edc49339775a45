// Tools is a client that runs tools for the AI. The AI calls a Go function of
// the client and uses its result in the answer.
//
//	go run ./examples/tools
//	go run ./examples/tools -url http://localhost:4000 -chat room-1 "What is the weather in Oslo?"
package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/examples/internal/usage"
)

// Place is the argument of the tool "weather".
type Place struct {
	City string `json:"city"`
}

// Weather is the result of the tool.
type Weather struct {
	Celsius int    `json:"celsius"`
	Sky     string `json:"sky"`
}

// weather is the function of the tool. Its ctx ends when the question is
// aborted.
func weather(_ context.Context, place Place) (Weather, error) {
	switch place.City {
	case "Oslo":
		return Weather{Celsius: 7, Sky: "cloudy"}, nil
	case "Cairo":
		return Weather{Celsius: 31, Sky: "clear"}, nil
	}
	// The AI receives the error as {"error": …}.
	return Weather{}, fmt.Errorf("no weather station in %q", place.City)
}

func main() {
	usage.Set("tools [flags] [question]", "Tools offers functions that the AI of the backend can call.")
	url := flag.String("url", "", "the backend's `URL`; if empty, a backend is started in this process")
	room := flag.String("chat", "room-1", "the chat's `id`")
	flag.Parse()
	question := cmp.Or(strings.Join(flag.Args(), " "), "What is the weather in Oslo?")

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Stdout, *url, *room, question); err != nil {
		fmt.Fprintln(os.Stderr, "tools:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, url, room, question string) error {
	if url == "" {
		server, err := chattest.Start("", chattest.Config{Answer: forecast})
		if err != nil {
			return err
		}
		defer server.Close()
		url = server.URL
	}
	client, err := chat.New(url, chat.Config{ChatID: events.StringID(room)})
	if err != nil {
		return err
	}
	defer client.Close()
	remove := chat.HandleTool(client, "weather", weather)
	defer remove()
	go client.Run(ctx) // ends with client.Close

	stream, err := client.Ask(ctx, chat.Question{UserID: events.StringID("u1"), Text: question})
	if err != nil {
		return err
	}
	for text, err := range stream.Text() {
		if err != nil {
			return err
		}
		fmt.Fprint(out, text)
	}
	fmt.Fprintln(out)
	return nil
}

// forecast is the AI of the backend in this process. It calls the tool with the
// last word of the question and answers with the result.
func forecast(ctx context.Context, q events.UserMessage, emit func(events.Event)) {
	words := strings.Fields(strings.TrimRight(q.Text, "?"))
	result, err := chattest.CallTool(ctx, events.AIToolCall{
		CallID: "call-1", ToolName: "weather", Args: fmt.Appendf(nil, `{"city":%q}`, words[len(words)-1]),
	})
	if err != nil {
		emit(events.AIError{Message: err.Error()})
		return
	}
	chattest.Say("The tool says "+string(result), 40*time.Millisecond)(ctx, q, emit)
}
