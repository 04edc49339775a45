// Mockserver is a chat backend to try clients on. It echoes what it is asked,
// word by word:
//
//	go run ./examples/mockserver
//	go run ./examples/mockserver -addr localhost:4001 -pace 200ms
//
// It runs until it is interrupted.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/seed67206a74/parley/chat/chattest"
)

func main() {
	addr := flag.String("addr", ":4000", "the TCP `address` to serve on")
	pace := flag.Duration("pace", 40*time.Millisecond, "the `pause` before each word")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Stdout, *addr, *pace); err != nil {
		fmt.Fprintln(os.Stderr, "mockserver:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends.
func run(ctx context.Context, out io.Writer, addr string, pace time.Duration) error {
	server, err := chattest.Start(addr, chattest.Config{Answer: chattest.Echo(pace)})
	if err != nil {
		return err
	}
	defer server.Close()
	fmt.Fprintln(out, "mockserver: chat backend on", server.URL)
	<-ctx.Done()
	return nil
}
