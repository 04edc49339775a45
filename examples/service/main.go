// Service is an HTTP service in front of a chat backend. /ask streams an
// answer. /healthz reports that the process runs. /readyz reports whether the
// client is connected, and if not, the reason. /debug/chat shows the client's
// internals; in production, serve it to operators only.
//
// After SIGTERM it accepts no more requests, waits for the answers in progress
// and exits with 0. If the answers take longer than -drain, it aborts them and
// exits with 1. A second signal ends it at once.
//
//	go run ./examples/service          # then open http://localhost:8080
//	curl -N -d 'Hello' http://localhost:8080/ask
//
// Without -url it starts a backend in its own process.
package main

import (
	"context"
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
	usage.Set("service [flags]", "Service is an HTTP service that answers questions, with probes, and ends its answers on SIGTERM.")
	addr := flag.String("addr", "localhost:8080", "the TCP `address` to serve on")
	url := flag.String("url", "", "the backend's `URL`; if empty, a backend is started in this process")
	room := flag.String("chat", "room-1", "the chat's `id`")
	deadline := flag.Duration("drain", 30*time.Second, "the `duration` to wait for answers after a signal, such as 30s")
	flag.Parse()
	usage.NoArguments()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Stdout, *addr, *url, *room, *deadline); err != nil {
		fmt.Fprintln(os.Stderr, "service:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends. It returns when the answers in progress have ended
// or the deadline has passed.
func run(ctx context.Context, out io.Writer, addr, url, room string, deadline time.Duration) error {
	if url == "" {
		server, err := chattest.Start("", chattest.Config{Answer: chattest.Echo(500 * time.Millisecond)})
		if err != nil {
			return err
		}
		defer server.Close()
		url = server.URL
	}
	handler := new(handler)
	client, err := chat.New(url, chat.Config{ChatID: events.StringID(room), Observers: []any{&handler.page}})
	if err != nil {
		return err
	}
	handler.client = client
	defer client.Close()
	lost := make(chan error, 1)
	go func() { lost <- client.Run(context.WithoutCancel(ctx)) }() // ends with client.Close

	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler.routes(), ReadHeaderTimeout: 5 * time.Second}
	defer server.Close()
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }() // ends with server.Close or server.Shutdown
	fmt.Fprintf(out, "service: listening on http://%s\n", listener.Addr())

	select {
	case err := <-served:
		return err
	case err := <-lost: // permanently: refused, for example
		return err
	case <-ctx.Done():
	}
	signal.Reset(os.Interrupt, syscall.SIGTERM) // the next signal ends the program
	draining, cancel := context.WithTimeout(context.WithoutCancel(ctx), deadline)
	defer cancel()
	server.RegisterOnShutdown(func() { // runs after the port is closed
		fmt.Fprintf(out, "service: draining, answers in progress: %d\n", handler.answering.Load())
	})
	if err = server.Shutdown(draining); err == nil { // all requests have ended
		err = client.Shutdown(draining) // waits for tools and deliveries
	}
	if err == nil {
		err = <-lost // not nil if the connection ended and answers were lost
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("drain timeout after %v, unfinished answers: %d", deadline, handler.answering.Load())
	case err != nil:
		return err
	}
	fmt.Fprintln(out, "service: drained")
	return nil
}
