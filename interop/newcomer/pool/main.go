// Pool asks 100 questions, 8 at a time, until it is interrupted.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"slices"
	"sync"

	"github.com/seed67206a74/parley/bus/pipe"
	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/events"
)

func main() {
	url := flag.String("url", "http://localhost:4000", "`URL` of the backend")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var questions []string
	for n := range 100 {
		questions = append(questions, fmt.Sprintf("Question %d?", n))
	}
	if err := run(ctx, os.Stdout, *url, questions, 8); err != nil {
		log.Fatal(err)
	}
}

// run prints a line for each answer. It returns nil after the last one. When
// ctx ends, the questions in progress are aborted.
func run(ctx context.Context, out io.Writer, url string, questions []string, workers int) error {
	client, err := chat.New(url, chat.Config{ChatID: events.StringID("room-1")})
	if err != nil {
		return err
	}
	defer client.Close()
	go client.Run(context.WithoutCancel(ctx)) // ends with client.Close, after the aborts

	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends FromSeq if a worker fails
	var printing sync.Mutex
	return pipe.Workers(ctx, pipe.FromSeq(ctx, slices.Values(questions)), workers, func(ctx context.Context, text string) error {
		answer, err := client.Answer(ctx, chat.Question{UserID: events.StringID("u1"), Text: text})
		if err != nil {
			return fmt.Errorf("%s %w", text, err)
		}
		printing.Lock()
		defer printing.Unlock()
		_, err = fmt.Fprintln(out, text, answer.Text)
		return err
	})
}
