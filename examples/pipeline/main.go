// Pipeline turns the tokens of an answer into sentences, and the sentences into lines for two speakers, while the
// answer is still being written: what speech synthesis needs. Each stage is a channel, and one context ends them all.
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
)

// story is what the backend in this process tells.
const story = "A stream is a story told slowly. Listen! Each word comes by itself. " +
	"Whoever waits for the end hears nothing until then. Would you wait? Speak each sentence as soon as it is there."

func main() {
	url := flag.String("url", "", "the backend's `URL`; without it, one is started in this process")
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
	defer cancel() // ends every stage, and the answer
	stream, err := client.Ask(ctx, chat.Question{UserID: events.StringID("u1"), Text: question})
	if err != nil {
		return err
	}

	all := pipe.FromSeq(ctx, sentences(stream.Text()))
	long := pipe.Filter(ctx, all, func(s string) bool { return strings.Count(s, " ") > 0 }) // not worth a breath
	numbered := pipe.Map(ctx, long, numbers())
	// Two at a time, one for each speaker; one that is alone for a second does not wait any longer.
	for pair := range pipe.Batch(ctx, numbered, 2, time.Second) {
		fmt.Fprintln(out, strings.Join(pair, " | "))
	}
	_, err = stream.Wait() // how the answer ended: the stages end without a word about it
	return err
}

// sentences puts the pieces of a text together to sentences, the last one with or without its full stop.
func sentences(text iter.Seq2[string, error]) iter.Seq[string] {
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

// numbers returns a function that numbers what it gets.
func numbers() func(string) string {
	n := 0
	return func(s string) string {
		n++
		return fmt.Sprintf("%d. %s", n, s)
	}
}
