// Pipeline turns the tokens of an answer into sentences, and the sentences into
// lines of two, while the answer is still streaming. Speech synthesis needs
// such a pipeline. Each stage is a channel, and one context ends all stages.
//
//	go run ./examples/pipeline
//	go run ./examples/pipeline -url http://localhost:4000 -chat room-1 "Tell me a story."
package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"io"
	"iter"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/seed67206a74/parley/bus/pipe"
	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/examples/internal/usage"
)

// story is the answer of the backend in this process.
const story = "A stream sends one word at a time. Look! Each sentence is ready before the end. " +
	"A program that waits for the end prints nothing until then. Would you wait? Print each sentence as soon as it is complete."

func main() {
	usage.Set("pipeline [flags] [question]", "Pipeline turns the tokens of an answer into sentences while it arrives.")
	url := flag.String("url", "", "the backend's `URL`; if empty, a backend is started in this process")
	room := flag.String("chat", "room-1", "the chat's `id`")
	flag.Parse()
	question := cmp.Or(strings.Join(flag.Args(), " "), "Tell me a story.")

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Stdout, *url, *room, question); err != nil {
		fmt.Fprintln(os.Stderr, "pipeline:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, url, room, question string) error {
	if url == "" {
		server, err := chattest.Start("", chattest.Config{Answer: chattest.Say(story, 20*time.Millisecond)})
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
	go client.Run(ctx) // ends with client.Close

	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends all stages and the answer
	stream, err := client.Ask(ctx, chat.Question{UserID: events.StringID("u1"), Text: question})
	if err != nil {
		return err
	}

	all := pipe.Through(ctx, pipe.FromSeq2(ctx, stream.Text()), sentences)
	// Drop sentences of one word.
	long := pipe.Filter(ctx, all, func(s string) bool { return strings.Count(s, " ") > 0 })
	numbered := pipe.Map(ctx, long, numbers())
	// Print two sentences on a line, or one if no other follows within a
	// second.
	for pair := range pipe.Batch(ctx, numbered, 2, time.Second) {
		fmt.Fprintln(out, strings.Join(pair, " | "))
	}
	_, err = stream.Wait() // the stages do not report the answer's error
	return err
}

// sentences joins the pieces of a text and splits it into sentences. The last
// sentence needs no full stop.
func sentences(text iter.Seq[string]) iter.Seq[string] {
	return func(yield func(string) bool) {
		rest := ""
		for piece := range text {
			rest += piece
			for {
				end := strings.IndexAny(rest, ".!?") + 1
				if end == 0 {
					break
				}
				if !yield(strings.TrimSpace(rest[:end])) {
					return
				}
				rest = rest[end:]
			}
		}
		if rest = strings.TrimSpace(rest); rest != "" {
			yield(rest)
		}
	}
}

// numbers returns a function that numbers the strings of its calls.
func numbers() func(string) string {
	n := 0
	return func(s string) string {
		n++
		return fmt.Sprintf("%d. %s", n, s)
	}
}
