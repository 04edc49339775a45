// Sse serves the answers of a chat backend to web pages, as server-sent events.
// If the connection of a page is lost, its EventSource connects again and
// continues the answer. If the visitor does not return in time, the client
// sends an abort to the backend.
//
//	go run ./examples/sse              # then open http://localhost:8080
//	curl -N 'http://localhost:8080/ask?text=Hello'
//
// Without -url it starts a backend in its own process.
package main

import (
	"context"
	_ "embed"
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
	"github.com/seed67206a74/parley/chat/chathttp"
	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/examples/internal/usage"
)

// page asks a question and shows the answer.
//
//go:embed index.html
var page string

func main() {
	usage.Set("sse [flags]", "Sse streams answers to web pages, and aborts an answer when its visitor leaves.")
	addr := flag.String("addr", "localhost:8080", "the TCP `address` to serve on")
	url := flag.String("url", "", "the backend's `URL`; if empty, a backend is started in this process")
	room := flag.String("chat", "room-1", "the chat's `id`")
	grace := flag.Duration("grace", 10*time.Second, "how long an answer continues without a reader")
	flag.Parse()
	usage.NoArguments()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Stdout, *addr, *url, *room, *grace); err != nil {
		fmt.Fprintln(os.Stderr, "sse:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends.
func run(ctx context.Context, out io.Writer, addr, url, room string, grace time.Duration) error {
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

	web, err := chathttp.New(client, chathttp.Config{
		// A program with users returns the user of the request's session.
		Authorize: func(*http.Request) (chathttp.Visitor, error) {
			return chathttp.Visitor{UserID: events.StringID("visitor"), MayUse: func(chat string) bool { return chat == room }}, nil
		},
		// Each visitor can ask several questions at a time.
		Chat:       func(chathttp.Request) (string, error) { return "", nil },
		Room:       func(chathttp.Visitor, string) events.ID { return events.StringID(room) },
		LeaveGrace: grace,
	})
	if err != nil {
		return err
	}
	defer web.Close()

	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, page) })
	mux.HandleFunc("GET /ask", web.SSE)
	server := &http.Server{Handler: mux, BaseContext: func(net.Listener) context.Context { return ctx }}
	defer context.AfterFunc(ctx, func() { server.Close() })()
	fmt.Fprintf(out, "sse: open http://%s or http://%[1]s/ask?text=Hello\n", listener.Addr())
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
