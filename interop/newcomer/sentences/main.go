// Sentences streams an answer to the browser, one sentence to an event.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"iter"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"

	"github.com/seed67206a74/parley/bus/pipe"
	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/events"
)

func main() {
	url := flag.String("url", "http://localhost:4000", "`URL` of the backend")
	addr := flag.String("addr", "localhost:8080", "`address` of this server")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	client, err := chat.New(*url, chat.Config{ChatID: events.StringID("room-1")})
	if err != nil {
		log.Fatal(err)
	}
	go func() {
		if err := client.Run(ctx); err != nil {
			log.Fatal(err)
		}
	}()
	server := &http.Server{Addr: *addr, Handler: ask(client), BaseContext: func(net.Listener) context.Context { return ctx }}
	context.AfterFunc(ctx, func() { server.Close() })
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		log.Fatal(err)
	}
}

// ask returns a handler that streams the answer to the question in ?text.
func ask(client *chat.Client) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel() // ends the stages, and the answer when the visitor leaves
		stream, err := client.Ask(ctx, chat.Question{UserID: events.StringID("u1"), Text: r.FormValue("text")})
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		for sentence := range pipe.Through(ctx, pipe.FromSeq2(ctx, stream.Text()), sentences) {
			fmt.Fprintf(w, "data: %s\n\n", sentence)
			if err := http.NewResponseController(w).Flush(); err != nil {
				return
			}
		}
		if _, err := stream.Wait(); err != nil {
			fmt.Fprintf(w, "event: failure\ndata: %v\n\n", err)
			return
		}
		fmt.Fprint(w, "event: end\ndata:\n\n")
	}
}

// sentences joins the pieces of a text, and splits it after each full stop.
func sentences(pieces iter.Seq[string]) iter.Seq[string] {
	return func(yield func(string) bool) {
		text := ""
		for piece := range pieces {
			text += piece
			for {
				sentence, rest, found := strings.Cut(text, ".")
				if !found {
					break
				}
				if !yield(strings.TrimSpace(sentence) + ".") {
					return
				}
				text = rest
			}
		}
		if text = strings.TrimSpace(text); text != "" {
			yield(text)
		}
	}
}
