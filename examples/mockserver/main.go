// Mockserver is a chat backend for development. It keeps rooms and their members, sends each message to its room,
// and answers it, token by token. Faults can be set.
//
//	go run ./examples/mockserver
//	go run ./examples/mockserver -addr localhost:4001 -pace 200ms -token secret
//	go run ./examples/mockserver -names AI_TOKEN=llm:delta,USER_MESSAGE=say
//	go run ./examples/mockserver -latency 300ms -drop 0.1 -cut-after 20
//
// It runs until it is interrupted. Every client of Socket.IO 4 can use it:
//
//	const socket = io("http://localhost:4000", { auth: { userId: "ada", token: "secret" } });
//	socket.emit("chat:join", { chatId: "room-1" });
//	socket.emit("user:message", { chatId: "room-1", requestId: "r1", messageId: "m1", userId: "ada", text: "Hello" });
//	socket.on("ai:token", (token) => …);
//
// # What it does
//
// It is a chattest.Server, whose manual describes the events, with these additions:
//
//   - A question that mentions "time" or "tool" has the backend call the tool "clock" of the client that asked, by an
//     ai:tool_call that must be acknowledged, and answer with the result. One that mentions "long" has a long answer.
//   - user:typingStart, user:typingStop and chat:read are passed on to the others in the room, under the same names.
//   - Connection state recovery is on: a client that reconnects within -recovery (2m) misses nothing. 0 turns it off.
//   - With -token, a client whose auth has another token, or none, is refused.
//   - With -names, events have other names. Clients learn them by discovery.
//
// # Faults
//
// The page /faults shows the faults, who is connected, and buttons. Each is also a flag, and can be changed live:
//
//	curl localhost:4000/faults/state                                # {"faults": {…}, "clients": [{…}], "names": {…}}
//	curl -X PATCH localhost:4000/faults/settings -d '{"drop": 0.2}' # other settings stay; returns the state
//	curl -X PATCH localhost:4000/faults/names -d '{"AI_TOKEN": "llm:delta"}'
//	curl -X POST localhost:4000/faults/cut                          # every connection, without a word
//	curl -X POST localhost:4000/faults/kick -d '{"id": "aTPd…"}'    # one client, by its session id; without, all
//	curl -X POST localhost:4000/faults/restart -d '{"down": "5s"}'  # no session can be recovered afterwards
//
// The settings, with shares from 0 to 1 and durations like "250ms":
//
//	pace         the pause before each token (default 40ms)
//	latency      how long a request, and each event that comes in, waits before it is dealt with
//	drop         the share of tokens that are left out; their indices are missing
//	wrong        the share of tokens whose payload has the wrong shape
//	error        the share of answers that end in an ai:error half way
//	stall        the share of answers that fall silent half way
//	cutAfter     close the client's connection after this many tokens of each answer; 0 is never
//	kickAfter    disconnect the client after this many tokens of each answer; 0 is never
//	restart      how often the server restarts by itself; 0s is never
//	refuse       refuse new connections, which ends a client
//	unavailable  requests are answered with HTTP status 503, which a client takes as worth another try
//
// There is no password on any of this: it is made for a developer's machine.
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
)

func main() {
	cfg := config{Faults: Faults{Pace: Duration(40 * time.Millisecond)}}
	flag.StringVar(&cfg.Addr, "addr", ":4000", "the TCP `address` to serve on")
	flag.StringVar(&cfg.Token, "token", "", "the `token` that a client's auth must have; without it, every client is accepted")
	flag.DurationVar(&cfg.Recovery, "recovery", 2*time.Minute, "how `long` a client whose connection was cut may take to come back; 0: no recovery")
	flag.Var(&cfg.Names, "names", "other event names, as `KEY=name,…`")
	cfg.Faults.flags(flag.CommandLine)
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Stdout, cfg); err != nil {
		fmt.Fprintln(os.Stderr, "mockserver:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends.
func run(ctx context.Context, out io.Writer, cfg config) error {
	b, err := start(cfg)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "mockserver: chat backend on", b.URL())
	fmt.Fprintln(out, "mockserver: faults on", b.URL()+"/faults")
	return b.run(ctx)
}
