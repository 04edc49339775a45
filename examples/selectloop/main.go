// Selectloop handles a chat in one goroutine with one select. It receives
// tokens, the final message, states of the connection, a timeout and the end of
// the context. It needs no callbacks and no locks.
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
	"github.com/seed67206a74/parley/examples/internal/usage"
)

// errClosed is returned if a channel closes before ctx ends.
var errClosed = errors.New("a channel has closed: its reader was too slow, or the client is closed")

func main() {
	usage.Set("selectloop [flags] [question]", "Selectloop reads tokens, messages and states of one client in one select statement.")
	url := flag.String("url", "", "the backend's `URL`; if empty, a backend is started in this process")
	room := flag.String("chat", "room-1", "the chat's `id`")
	patience := flag.Duration("patience", time.Minute, "the `duration` to wait for the next token, such as 30s")
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

	// Subscribe before Run, so that no event is missed. The channels stay open
	// across reconnects.
	tokens := client.Tokens.Chan(ctx)
	messages := client.Messages.Chan(ctx)
	failures := client.Errors.Chan(ctx)
	states := client.States.Chan(ctx)
	ended := make(chan error, 1)
	go func() { ended <- client.Run(ctx) }() // ends with ctx or client.Close

	const request = "request-1" // the requestId of the answer
	err = client.SendMessage(ctx, events.UserMessage{
		MessageID: "m1", RequestID: request, UserID: events.StringID("u1"), Text: question,
	})
	if err != nil {
		return err
	}
	var answer strings.Builder
	timeout := time.NewTimer(patience)
	for {
		// A channel that has closed is always ready, and gives zero values, so
		// each case reads ok.
		select {
		case token, ok := <-tokens:
			if !ok {
				return cmp.Or(ctx.Err(), errClosed)
			}
			if token.RequestID == request {
				timeout.Reset(patience)
				answer.WriteString(token.Token)
				fmt.Fprint(out, token.Token)
			}
		case message, ok := <-messages:
			if !ok {
				return cmp.Or(ctx.Err(), errClosed)
			}
			if message.RequestID != request {
				break // the answer to another user in the room
			}
			// A select on two channels does not keep the order between them,
			// so the message may come before the last tokens. Print the rest
			// of its text. (client.Events delivers all events in order.)
			fmt.Fprintln(out, strings.TrimPrefix(message.Text, answer.String()))
			return nil
		case failure, ok := <-failures:
			if !ok {
				return cmp.Or(ctx.Err(), errClosed)
			}
			if failure.RequestID == request {
				return &failure
			}
		case state, ok := <-states:
			if !ok {
				return cmp.Or(ctx.Err(), errClosed)
			}
			fmt.Fprintf(out, "[%v]\n", state.Phase)
		case <-timeout.C:
			return fmt.Errorf("no token from the backend for %v", patience)
		case err := <-ended: // the connection ended permanently, or ctx has
			return cmp.Or(err, ctx.Err())
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
