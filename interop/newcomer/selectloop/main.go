// Selectloop prints an answer and the states of the connection, in one select.
package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
)

func main() {
	url := flag.String("url", "http://localhost:4000", "`URL` of the backend")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdout, *url, "Hello?"); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, out io.Writer, url, question string) error {
	client, err := chat.New(url, chat.Config{ChatID: events.StringID("room-1")})
	if err != nil {
		return err
	}
	defer client.Close()
	all, states := client.Events.Chan(ctx), client.States.Chan(ctx)
	done := make(chan error, 1)
	go func() { done <- client.Run(ctx) }()

	asked := false
	for {
		select {
		case event, ok := <-all:
			if !ok {
				return cmp.Or(ctx.Err(), io.ErrUnexpectedEOF)
			}
			switch event := event.(type) {
			case events.AIToken:
				fmt.Fprint(out, event.Token)
			case events.AIError:
				return &event
			case events.AIMessage:
				fmt.Fprintln(out)
				return nil
			}
		case state, ok := <-states:
			if !ok {
				states = nil // no more states: do not select it again
				break
			}
			fmt.Fprintf(out, "[%v]\n", state.Phase)
			if state.Phase != conn.Ready || asked {
				break
			}
			asked = true
			err := client.SendMessage(ctx, events.UserMessage{
				MessageID: "m1", RequestID: "r1", UserID: events.StringID("u1"), Text: question,
			})
			if err != nil {
				return err
			}
		case err := <-done:
			return cmp.Or(err, ctx.Err())
		}
	}
}
