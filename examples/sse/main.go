// Sse serves the answers of a chat backend to web pages. Its HTTP handler
// streams one answer as server-sent events. When the visitor leaves, the
// request's context ends, and the client sends an abort to the backend.
//
//	go run ./examples/sse
//	curl -N 'http://localhost:8080/ask?q=Hello'
//
// Without -url it starts a backend in its own process.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/examples/internal/usage"
)

func main() {
	usage.Set("sse [flags]", "Sse streams answers to web pages, and aborts an answer when its visitor leaves.")
	addr := flag.String("addr", "localhost:8080", "the TCP `address` to serve on")
	url := flag.String("url", "", "the backend's `URL`; if empty, a backend is started in this process")
	room := flag.String("chat", "room-1", "the chat's `id`")
	flag.Parse()
	usage.NoArguments()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Stdout, *addr, *url, *room); err != nil {
		fmt.Fprintln(os.Stderr, "sse:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends.
func run(ctx context.Context, out io.Writer, addr, url, room string) error {
	if url == "" {
		server, err := chattest.Start("", chattest.Config{Answer: chattest.Echo(200 * time.Millisecond)})
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

	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /ask", ask(client))
	server := &http.Server{Handler: mux, BaseContext: func(net.Listener) context.Context { return ctx }}
	defer context.AfterFunc(ctx, func() { server.Close() })()
	fmt.Fprintf(out, "sse: try http://%s/ask?q=Hello\n", listener.Addr())
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// ask streams the answer to the question q. The requests share the client, and
// each receives the answer to its own question only.
func ask(client *chat.Client) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		// The stream ends with the request's context, which ends when the
		// visitor leaves.
		stream, err := client.Ask(r.Context(), chat.Question{
			UserID: events.StringID("visitor"), Text: r.FormValue("q"),
		})
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("Cache-Control", "no-cache")
		for event, err := range stream.Events() { // statuses, tokens, tool calls, the message
			if err != nil {
				send(w, "error", map[string]string{"message": err.Error()})
				return
			}
			if err := send(w, event.Key().DefaultName(), event); err != nil {
				return // the visitor has left, which ends the request's context
			}
		}
	}
}

// send writes one event and flushes it.
func send(w http.ResponseWriter, name string, data any) error {
	encoded, err := json.Marshal(data)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(w, "event: %s\ndata: %s\n\n", name, encoded); err != nil {
		return err
	}
	return http.NewResponseController(w).Flush()
}
