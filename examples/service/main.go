// Service is an HTTP service in front of a chat backend, as one would run it: /ask streams an answer, /healthz says that
// the process lives, /readyz whether it can answer, and if not, why. On SIGTERM it accepts nothing more, lets the answers
// under way finish within a deadline, and exits with 0; a second signal ends it at once.
//
//	go run ./examples/service
//	curl -N -d 'Hello' http://localhost:8080/ask
//
// It brings a backend of its own; -url names another one.
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
)

func main() {
	addr := flag.String("addr", "localhost:8080", "the TCP `address` to serve on")
	url := flag.String("url", "", "the backend's `URL`; without it, one is started in this process")
	room := flag.String("chat", "room-1", "the chat's `id`")
	deadline := flag.Duration("drain", 30*time.Second, "how long answers may `take` to finish after a signal")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Stdout, *addr, *url, *room, *deadline); err != nil {
		fmt.Fprintln(os.Stderr, "service:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends, and then until the answers that are under way have finished, or the deadline has passed.
func run(ctx context.Context, out io.Writer, addr, url, room string, deadline time.Duration) error {
	if url == "" {
		server, err := chattest.Start("", chattest.Config{Answer: chattest.Echo(500 * time.Millisecond)})
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
	lost := make(chan error, 1)
	go func() { lost <- client.Run(context.WithoutCancel(ctx)) }() // outlives ctx, and ends with client.Close

	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	handler := &handler{client: client}
	server := &http.Server{Handler: handler.routes(), ReadHeaderTimeout: 5 * time.Second}
	defer server.Close()
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }() // ends with server.Close, and with server.Shutdown
	fmt.Fprintf(out, "service: listening on http://%s\n", listener.Addr())

	select {
	case err := <-served:
		return err
	case err := <-lost: // for good: refused, for example
		return err
	case <-ctx.Done():
	}
	signal.Reset(os.Interrupt, syscall.SIGTERM) // the next one ends the program, as if it were nothing special
	draining, cancel := context.WithTimeout(context.WithoutCancel(ctx), deadline)
	defer cancel()
	server.RegisterOnShutdown(func() { // the port is closed
		fmt.Fprintf(out, "service: draining, answers under way: %d\n", handler.answering.Load())
	})
	if err = server.Shutdown(draining); err == nil { // every request has its answer
		err = client.Shutdown(draining) // and what they have begun has ended, tools and deliveries as well
	}
	if err == nil {
		err = <-lost // an end of the connection, meanwhile, that has cost answers
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("answers given up after %v: %d", deadline, handler.answering.Load())
	case err != nil:
		return err
	}
	fmt.Fprintln(out, "service: drained")
	return nil
}
