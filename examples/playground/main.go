// Playground is a chat in the browser that also shows the events, the states of
// the connection, the buffer of each subscription and the effects of a slow
// reader. It needs a chat backend:
//
//	go run ./examples/mockserver &
//	go run ./examples/playground       # then open http://localhost:5173, in two tabs for two users
//	go run ./examples/playground -addr :8080 -backend https://chat.example.com -token secret
//
// It is also an example of a web service between browsers and a Socket.IO
// backend. The browser receives server-sent events and sends POST requests. It
// needs no Socket.IO client, no reconnect logic and no token for the backend.
//
//   - server.go: the pages and the routes.
//   - session.go: a tab: one user with a chat.Client. It ends with the stream.
//   - stream.go: events to the tab: one select loop over the client's channels.
//   - commands.go: commands from the tab: one handler each.
//   - traffic.go: the messages of a tab's session, by a wrapped conn.Dialer.
//   - The other files are tools: meters, faults and a slow reader.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/seed67206a74/parley/examples/internal/usage"
)

func main() {
	usage.Set("playground [flags]", "Playground is a chat in the browser that shows the connection, the subscriptions and the events.")
	addr := flag.String("addr", "localhost:5173", "the TCP `address` to serve on")
	backend := flag.String("backend", "http://localhost:4000", "the chat backend's `URL`")
	token := flag.String("token", "", "the `token` for the backend")
	flag.Parse()
	usage.NoArguments()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Stdout, *addr, *backend, *token); err != nil {
		fmt.Fprintln(os.Stderr, "playground:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends. The sessions of all tabs end with ctx.
func run(ctx context.Context, out io.Writer, addr, backend, token string) error {
	p, err := newPlayground(backend, token)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler:           p.handler(),
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ReadHeaderTimeout: 10 * time.Second,
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }() // ends with Shutdown or with the listener
	fmt.Fprintf(out, "playground: open http://%s\n", listener.Addr())
	fmt.Fprintf(out, "playground: backend: %s\n", panel{backend: backend, http: p.http}.describe(ctx))
	select {
	case err = <-served:
		return err
	case <-ctx.Done():
	}
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	err = server.Shutdown(ending) // waits for the streams, which end with ctx
	<-served
	return err
}
