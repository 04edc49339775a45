// Fleet is a chat service of several processes on one machine: two instances that
// compete for the chat's socket, two workers that share what is heard, and a front end
// that asks. Between them is NATS, which it brings along:
//
//	go run ./examples/fleet
//	go run ./examples/fleet -questions 6
//	go run ./examples/fleet -nats nats://one:4222,nats://two:4222
//
// When half of the answers have been worked on it kills the process that holds the socket, so that
// the other instance takes over.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// settings are the flags. The processes of the fleet are this program with a role.
type settings struct {
	role      string
	id        string
	nats      string
	backend   string
	questions int
}

func main() {
	var s settings
	flag.StringVar(&s.role, "role", "", "`role` of this process: holder, worker or front; empty starts the whole fleet")
	flag.StringVar(&s.id, "id", "", "the `name` of this process")
	flag.StringVar(&s.nats, "nats", "", "the `URL`s of a NATS cluster; without them, a server is started in this process")
	flag.StringVar(&s.backend, "backend", "", "the chat backend's `URL`; without it, one is started in this process")
	flag.IntVar(&s.questions, "questions", 4, "`how many` questions the front end asks")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	run := map[string]func(context.Context, settings) error{"": fleet, "holder": holder, "worker": worker, "front": front}[s.role]
	err := errors.New("no such role")
	if run != nil {
		err = run(ctx, s)
	}
	if err != nil && ctx.Err() == nil {
		fmt.Fprintf(os.Stderr, "fleet: %s: %v\n", s.id, err)
		os.Exit(1)
	}
}
