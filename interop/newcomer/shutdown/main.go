// Shutdown is an HTTP service that finishes its answers after SIGTERM.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/events"
)

func main() {
	url := flag.String("url", "http://localhost:4000", "`URL` of the backend")
	addr := flag.String("addr", "localhost:8080", "`address` of this server")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	if err := run(ctx, listener, *url, 25*time.Second); err != nil {
		log.Fatal(err)
	}
}

// run serves until ctx ends. Then it finishes the answers within limit.
func run(ctx context.Context, listener net.Listener, url string, limit time.Duration) error {
	client, err := chat.New(url, chat.Config{ChatID: events.StringID("room-1")})
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	defer client.Close()
	running := make(chan error, 1)
	go func() { running <- client.Run(context.WithoutCancel(ctx)) }() // ends with Shutdown or Close

	mux := http.NewServeMux()
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if err := client.Health(); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		}
	})
	mux.HandleFunc("POST /ask", func(w http.ResponseWriter, r *http.Request) {
		text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 64<<10))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		answer, err := client.Answer(r.Context(), chat.Question{UserID: events.StringID("u1"), Text: string(text)})
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		fmt.Fprintln(w, answer.Text)
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	serving := make(chan error, 1)
	go func() { serving <- server.Serve(listener) }() // ends with server.Shutdown or server.Close
	defer server.Close()

	select {
	case err := <-running: // a refusal, for example
		return err
	case err := <-serving:
		return err
	case <-ctx.Done():
	}
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	if err := server.Shutdown(ending); err != nil { // waits for the requests
		return err
	}
	return client.Shutdown(ending) // waits for tools and deliveries
}
