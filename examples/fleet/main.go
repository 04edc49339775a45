// Fleet is a chat service of several processes on one machine. Two instances
// compete for the chat's socket, two workers share its events, and a front end
// asks questions. They communicate through NATS, which the program includes:
//
//	go run ./examples/fleet
//	go run ./examples/fleet -questions 6
//	go run ./examples/fleet -nats nats://one:4222,nats://two:4222
//	go run ./examples/fleet -nats tls://one:4222 -ca ca.pem
//
// With -ca, each process is the user of its role in nats.conf, with the
// password in FLEET_PASSWORD. With -role, the program is one of the processes,
// or does the work of an operator: see docs/chatnats.md.
//
// After half of the answers, it kills the process that holds the socket, so
// that the other instance takes over.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/seed67206a74/parley/examples/internal/usage"
)

// settings are the flags. Each process of the fleet is this program with a
// role.
type settings struct {
	role      string
	id        string
	nats      string
	backend   string
	questions int
	ca        string
	group     string
}

func main() {
	usage.Set("fleet [flags]", "Fleet is a chat service of several processes on one machine, over NATS JetStream.")
	var s settings
	flag.StringVar(&s.role, "role", "", "`role` of this process: setup, holder, worker, reader, front, status or remove; empty starts the whole fleet")
	flag.StringVar(&s.id, "id", "", "the `name` of this process")
	flag.StringVar(&s.nats, "nats", "", "the `URL`s of a NATS cluster; empty starts a server in this process")
	flag.StringVar(&s.backend, "backend", "", "the chat backend's `URL`; empty starts a backend in this process")
	flag.IntVar(&s.questions, "questions", 4, "the `number` of questions that the front end asks")
	flag.StringVar(&s.ca, "ca", "", "the `file` with the authority of NATS's certificates; empty for no TLS and no users")
	flag.StringVar(&s.group, "group", "", "the `name` of the group that the role remove removes")
	flag.Parse()
	usage.NoArguments()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	run := map[string]func(context.Context, settings) error{
		"": fleet, "holder": holder, "worker": worker, "reader": reader, "front": front,
		"setup": setup, "status": status, "remove": remove,
	}[s.role]
	err := errors.New("unknown role")
	if run != nil {
		err = run(ctx, s)
	}
	if err != nil && ctx.Err() == nil {
		fmt.Fprintf(os.Stderr, "fleet: %s: %v\n", s.id, err)
		os.Exit(1)
	}
}
