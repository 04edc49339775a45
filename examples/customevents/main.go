// Customevents is what to do about events that the chat contract does not have: hear one of them as a type of one's
// own, hear all of them as they come, ask the server and wait for its acknowledgement, and answer what the server asks.
//
//	go run ./examples/customevents
//
// The backend in this process has such events; one that -url names needs the same ones.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
)

// Slot is one time at which a consultation can be had, in the backend's event "consultation:slots".
type Slot struct {
	Doctor string `json:"doctor"`
	Time   string `json:"time"`
}

// Booking is what "consultation:book" takes, and what "consultation:confirm" asks about.
type Booking struct {
	Slot Slot   `json:"slot"`
	Name string `json:"name"`
}

// Confirmation is the client's answer to "consultation:confirm".
type Confirmation struct {
	Agreed bool `json:"agreed"`
}

// Receipt is the server's acknowledgement of "consultation:book".
type Receipt struct {
	Number int `json:"number"`
}

func main() {
	url := flag.String("url", "", "the backend's `URL`; without it, one is started in this process")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Stdout, *url); err != nil {
		fmt.Fprintln(os.Stderr, "customevents:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, url string) error {
	if url == "" {
		server, err := chattest.Start("", chattest.Config{Answer: confirm})
		if err != nil {
			return err
		}
		defer server.Close()
		server.Handle("consultation:list", list)
		server.Handle("consultation:book", book)
		url = server.URL
	}
	client, err := chat.New(url, chat.Config{ChatID: events.StringID("consultation-7")})
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()

	slots := chat.On[[]Slot](client, "consultation:slots").Chan(ctx) // typed: what is none goes to DecodeErrors
	raw := client.Raw.Chan(ctx)                                      // everything, whatever its name
	remove := conn.Handle(client.Conn(), "consultation:confirm",
		func(_ context.Context, b Booking) (Confirmation, error) { // what it returns is the acknowledgement
			return Confirmation{Agreed: b.Name == "Ada"}, nil
		})
	defer remove()
	go client.Run(ctx) // ends with client.Close

	// One way: an event of one's own goes out, with the chatId, and is written when Emit returns.
	if err := client.Emit(ctx, "consultation:list", map[string]string{"day": "Monday"}); err != nil {
		return err
	}
	var offered []Slot
	select {
	case offered = <-slots:
		fmt.Fprintf(out, "offered: %v\n", offered)
	case <-ctx.Done():
		return ctx.Err()
	}
	// And back: the server acknowledges. Its answer is decoded into a Receipt.
	receipt, err := conn.Call[Receipt](ctx, client.Conn(), "consultation:book", Booking{Slot: offered[0], Name: "Ada"})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "booked: number %d\n", receipt.Number)
	// The other way round: the server asks while it answers, and waits for what the handler says.
	answer, err := client.Answer(ctx, chat.Question{UserID: events.StringID("ada"), Text: "Is it certain?"})
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "answer:", answer.Text)
	for event := range raw {
		fmt.Fprintf(out, "raw: %s, arguments: %d\n", event.Name, len(event.Args))
		if event.Name == "ai:message" {
			return nil
		}
	}
	return ctx.Err()
}
