// Workerpool asks one question in each of many chats, over a single connection.
// A few workers ask at a time, and each receives the answer to its own
// question.
//
//	go run ./examples/workerpool
//	go run ./examples/workerpool -url http://localhost:4000 -chats 100 -workers 8
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/seed67206a74/parley/bus/pipe"
	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/examples/internal/usage"
)

func main() {
	usage.Set("workerpool [flags]", "Workerpool asks in many chats over one connection, a few questions at a time.")
	url := flag.String("url", "", "the backend's `URL`; if empty, a backend is started in this process")
	chats := flag.Int("chats", 12, "the `number` of chats to ask in")
	workers := flag.Int("workers", 4, "the maximum `number` of questions at the same time")
	flag.Parse()
	usage.NoArguments()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Stdout, *url, *chats, *workers); err != nil {
		fmt.Fprintln(os.Stderr, "workerpool:", err)
		os.Exit(1)
	}
}

// run asks in each chat. It stops at the first error.
func run(ctx context.Context, out io.Writer, url string, chats, workers int) error {
	if url == "" {
		server, err := chattest.Start("", chattest.Config{Answer: chattest.Echo(30 * time.Millisecond)})
		if err != nil {
			return err
		}
		defer server.Close()
		url = server.URL
	}
	rooms := make([]string, chats)
	for i := range rooms {
		rooms[i] = fmt.Sprintf("room-%d", i+1)
	}
	// The client has no chat of its own. Each worker joins the chat that it
	// asks in.
	client, err := chat.New(url, chat.Config{NoJoin: true})
	if err != nil {
		return err
	}
	defer client.Close()
	go client.Run(ctx) // ends with client.Close

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()    // ends FromSeq after a worker's error
	var mu sync.Mutex // guards out
	return pipe.Workers(ctx, pipe.FromSeq(ctx, slices.Values(rooms)), workers,
		func(ctx context.Context, room string) error {
			answer, err := ask(ctx, client, events.StringID(room))
			if err != nil {
				return fmt.Errorf("%s: %w", room, err)
			}
			mu.Lock()
			defer mu.Unlock()
			_, err = fmt.Fprintf(out, "%s: %s\n", room, answer.Text)
			return err
		})
}

// ask joins a room, asks, and leaves the room after the answer.
func ask(ctx context.Context, client *chat.Client, room events.ID) (events.AIMessage, error) {
	if err := client.Join(ctx, room); err != nil {
		return events.AIMessage{}, err
	}
	answer, err := client.Answer(ctx, chat.Question{
		ChatID: room, UserID: events.StringID("summaries"), Text: "Summarize " + room.String() + ".",
	})
	if err != nil {
		return events.AIMessage{}, err
	}
	return answer, client.Leave(ctx, room)
}
