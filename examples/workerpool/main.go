// Workerpool asks many chats one question each, a few at a time, over a single connection: the answers run side by
// side, and each one reaches the worker that asked for it.
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
)

func main() {
	url := flag.String("url", "", "the backend's `URL`; without it, one is started in this process")
	chats := flag.Int("chats", 12, "how many `chats` to ask in")
	workers := flag.Int("workers", 4, "how many `answers` may be under way at a time")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Stdout, *url, *chats, *workers); err != nil {
		fmt.Fprintln(os.Stderr, "workerpool:", err)
		os.Exit(1)
	}
}

// run asks in each chat. The first failure ends it.
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
	// No room of its own: each worker joins the one that it asks in.
	client, err := chat.New(url, chat.Config{NoJoin: true})
	if err != nil {
		return err
	}
	defer client.Close()
	go client.Run(ctx) // ends with client.Close

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()    // ends FromSeq when a worker has failed
	var mu sync.Mutex // one line at a time
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

// ask asks in a room, and is in it only for as long as that takes.
func ask(ctx context.Context, client *chat.Client, room events.ID) (events.AIMessage, error) {
	if err := client.Join(ctx, room); err != nil {
		return events.AIMessage{}, err
	}
	answer, err := client.Answer(ctx, chat.Question{
		ChatID: room, UserID: events.StringID("summaries"), Text: "What has " + room.String() + " come to?",
	})
	if err != nil {
		return events.AIMessage{}, err
	}
	return answer, client.Leave(ctx, room)
}
