// Customevents uses events that are not part of the chat contract. It receives
// one of them as a Go type and all of them raw. It calls the server and waits
// for the acknowledgement, and it acknowledges a call of the server.
//
//	go run ./examples/customevents
//
// The backend in this process has these events. A backend at -url must have the
// same ones.
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
	"github.com/seed67206a74/parley/examples/internal/usage"
)

// Slot is a free time for a consultation, in the event "consultation:slots".
type Slot struct {
	Doctor string `json:"doctor"`
	Time   string `json:"time"`
}

// Booking is the payload of "consultation:book" and of "consultation:confirm".
type Booking struct {
	Slot Slot   `json:"slot"`
	Name string `json:"name"`
}

// Confirmation is the client's acknowledgement of "consultation:confirm".
type Confirmation struct {
	Agreed bool `json:"agreed"`
}

// Receipt is the server's acknowledgement of "consultation:book".
type Receipt struct {
	Number int `json:"number"`
}

func main() {
	usage.Set("customevents [flags]", "Customevents sends and receives events of its own, typed and raw, with acknowledgements both ways.")
	url := flag.String("url", "", "the backend's `URL`; if empty, a backend is started in this process")
	flag.Parse()
	usage.NoArguments()
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

	// Typed: a payload that does not decode is reported on DecodeErrors.
	slots := chat.On[[]Slot](client, "consultation:slots").Chan(ctx)
	// Raw: every event.
	raw := client.Raw.Chan(ctx)
	// The result of the handler is the acknowledgement.
	remove := conn.Handle(client.Conn(), "consultation:confirm",
		func(_ context.Context, b Booking) (Confirmation, error) {
			return Confirmation{Agreed: b.Name == "Ada"}, nil
		})
	defer remove()
	go client.Run(ctx) // ends with client.Close

	// Emit adds the chatId, and returns when the event is written.
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
	// Call waits for the acknowledgement and decodes it into a Receipt.
	receipt, err := conn.Call[Receipt](ctx, client.Conn(), "consultation:book", Booking{Slot: offered[0], Name: "Ada"})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "booked: number %d\n", receipt.Number)
	// During this answer the server calls the client's handler and waits for
	// the acknowledgement.
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
