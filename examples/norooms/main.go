// Norooms talks to a backend without rooms. The client joins none, and sends
// the id of the consultation in the query of the connection and in every
// payload. The backend's tokens expire soon, so each attempt to connect
// fetches a new one.
//
//	go run ./examples/norooms
//	go run ./examples/norooms -url https://realtime.example.com -consultation abc-123
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/signal"
	"syscall"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/examples/internal/usage"
	"github.com/seed67206a74/parley/reconnect"
)

func main() {
	usage.Set("norooms [flags]", "Norooms uses a backend without rooms: custom parameters, and a new token for each attempt.")
	address := flag.String("url", "", "the backend's `URL`; if empty, a backend is started in this process")
	consultation := flag.String("consultation", "abc-123", "the consultation's `id`")
	flag.Parse()
	usage.NoArguments()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Stdout, *address, *consultation); err != nil {
		fmt.Fprintln(os.Stderr, "norooms:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, address, consultation string) error {
	if address == "" {
		server, err := chattest.Start("", chattest.Config{Auth: admit, Answer: recall})
		if err != nil {
			return err
		}
		defer server.Close()
		address = server.URL
	}
	var tokens issuer
	client, err := chat.New(address, chat.Config{
		NoJoin: true,
		Meta:   map[string]any{"consultationId": consultation}, // in every payload
		Conn: conn.Config{
			Query: url.Values{"consultationId": {consultation}}, // in every request
			// Auth is called on each attempt.
			Auth: func(ctx context.Context) (any, error) {
				token, err := tokens.next(ctx)
				fmt.Fprintln(out, "fetched", token)
				return map[string]string{"token": token}, err
			},
			// A refusal ends Run by default. Try again if the token has
			// expired.
			Retry: func(err error) bool {
				refused, ok := errors.AsType[*conn.RefusedError](err)
				return ok && refused.Message == "token expired"
			},
		},
	})
	if err != nil {
		return err
	}
	defer client.Close()
	go client.Run(ctx) // ends with client.Close

	answer, err := client.Answer(ctx, chat.Question{UserID: events.StringID("u1"), Text: "What is this about?"})
	if err != nil {
		return err
	}
	fmt.Fprintln(out, answer.Text)
	return nil
}

// An issuer simulates a service that issues tokens. Only the goroutine of Run
// calls it.
type issuer struct{ issued int }

// next returns a new token. After an error the client tries again, unless the
// error is marked with reconnect.Permanent.
func (i *issuer) next(ctx context.Context) (string, error) {
	if i.issued == 10 {
		return "", reconnect.Permanent(errors.New("too many tokens"))
	}
	i.issued++
	return fmt.Sprintf("token-%d", i.issued), ctx.Err()
}
