// Selectloop is one goroutine that looks after everything a chat has to say: the tokens of an answer, the
// finished message, the state of the connection, silence and the end of its context, in one select. No callbacks, no
// locks.
//
//	go run ./examples/selectloop
//	go run ./examples/selectloop -url http://localhost:4000 -chat room-1 "Hello?"
package main

import (
	"cmp"
	"context"
	"errors"
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
)

func main() {
	url := flag.String("url", "", "the backend's `URL`; without it, one is started in this process")
	room := flag.String("chat", "room-1", "the chat's `id`")
	patience := flag.Duration("patience", time.Minute, "how long the backend may be `silent`")
	flag.Parse()
	question := cmp.Or(strings.Join(flag.Args(), " "), "What is a select loop?")

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Stdout, *url, *room, question, *patience); err != nil {
		fmt.Fprintln(os.Stderr, "selectloop:", err)
		os.Exit(1)
	}
}

// run asks one question, and returns when its answer is complete.
func run(ctx context.Context, out io.Writer, url, room, question string, patience time.Duration) error {
	if url == "" {
		server, err := chattest.Start("", chattest.Config{Answer: chattest.Echo(40 * time.Millisecond)})
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

	// Subscribed before Run, so that nothing is missed. The channels stay open over reconnects.
	tokens := client.Tokens.Chan(ctx)
	messages := client.Messages.Chan(ctx)
	failures := client.Errors.Chan(ctx)
	states := client.States.Chan(ctx)
	ended := make(chan error, 1)
	go func() { ended <- client.Run(ctx) }() // ends with ctx, and with client.Close

	const request = "request-1" // the requestId of the answer
	err = client.SendMessage(ctx, events.UserMessage{
		MessageID: "m1", RequestID: request, UserID: events.StringID("u1"), Text: question,
	})
	if err != nil {
		return err
	}
	var answer strings.Builder
	silence := time.NewTimer(patience)
	for {
		select {
		case token := <-tokens:
			if token.RequestID == request {
				silence.Reset(patience)
				answer.WriteString(token.Token)
				fmt.Fprint(out, token.Token)
			}
		case message := <-messages:
			if message.RequestID != request {
				break // the answer to another person in the room
			}
			// Two channels in one select are in no order between them: the message may overtake the last
			// tokens. It has the whole text, though. (client.Events is one channel, in the order of the wire.)
			fmt.Fprintln(out, strings.TrimPrefix(message.Text, answer.String()))
			return nil
		case failure := <-failures:
			if failure.RequestID == request {
				return &failure
			}
		case state := <-states:
			fmt.Fprintf(out, "[%v]\n", state.Phase)
		case <-silence.C:
			return errors.New("the backend has gone silent")
		case err := <-ended: // the connection, for good; nil if ctx has ended
			return cmp.Or(err, ctx.Err())
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
