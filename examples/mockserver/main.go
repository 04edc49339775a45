// Mockserver is a chat backend to develop against. It keeps rooms and presence,
// sends messages to their room, and answers them token by token. It can also
// simulate many faults.
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
// # Events
//
// It is a chattest.Server, whose package documentation describes each event.
// These behaviours are added:
//
//   - A question that mentions "time" or "tool" calls the tool "clock" of the
//     client that asked, if the client has registered it. A client lists its
//     tools in its auth: {"tools": ["clock"]}. The ai:tool_call asks for an
//     acknowledgement.
//   - A question that mentions "long" has a long answer.
//   - user:typingStart, user:typingStop and chat:read are forwarded to the
//     others in the room, under the same names.
//   - Connection state recovery is on: a client that reconnects within
//     -recovery (2m) misses no event. 0 disables it.
//   - With -token, a client whose auth has another token, or none, is refused.
//   - With -names, events have other names; discovery reports them.
//
// # Faults
//
// The page /faults shows the faults and the connected clients, and has buttons.
// Each fault is also a flag, and can be changed while the server runs:
//
//	curl localhost:4000/faults/state                                # {"faults": {…}, "clients": [{…}], "names": {…}}
//	curl -X PATCH localhost:4000/faults/settings -d '{"drop": 0.2}' # other faults stay; the response is the state
//	curl -X PATCH localhost:4000/faults/names -d '{"AI_TOKEN": "llm:delta"}'
//	curl -X POST localhost:4000/faults/cut                          # every connection
//	curl -X POST localhost:4000/faults/kick -d '{"id": "aTPd…"}'    # one client, by its session id; all without an id
//	curl -X POST localhost:4000/faults/restart -d '{"down": "5s"}'  # no session survives
//
// The settings, with shares from 0 to 1 and durations like "250ms":
//
//	pace         the pause before each token (default 40ms)
//	latency      how long a request, and each event that comes in, waits before it is handled
//	drop         the share of tokens that are not sent; their indices are missing
//	wrong        the share of tokens whose payload has the wrong shape
//	error        the share of answers that end in an ai:error half way
//	stall        the share of answers that stop half way
//	holdAfter    each answer waits after so many tokens until this changes; 0 is never
//	cutAfter     the client's connection is cut after so many tokens of each answer; 0 is never
//	kickAfter    the client is disconnected after so many tokens of each answer; 0 is never
//	restart      how often the server restarts by itself; 0s is never
//	refuse       clients are refused, which is final for a client
//	unavailable  requests are answered with HTTP status 503, after which a client tries again
//
// # Modes
//
// Some backends differ from the contract. These flags imitate them:
//
//	-no-request-ids   events have no requestId
//	-no-stop          ai:abort is ignored
//	-off-contract     payloads have other types: ids as numbers, times in milliseconds, counts as strings
//	-early-events     a client gets an event before its CONNECT is answered
//	-own-message-ids  broadcast messages have new ids instead of their senders'
//
// The faults have no password. The server is made for a developer's machine.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/seed67206a74/parley/examples/internal/usage"
	"github.com/seed67206a74/parley/internal/mockserver"
)

func main() {
	usage.Set("mockserver [flags]", "Mockserver is a chat backend to develop against, with rooms, answers, tools and faults.")
	cfg := mockserver.Defaults()
	cfg.Flags(flag.CommandLine)
	flag.Parse()
	usage.NoArguments()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Stdout, cfg); err != nil {
		fmt.Fprintln(os.Stderr, "mockserver:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends.
func run(ctx context.Context, out io.Writer, cfg mockserver.Config) error {
	server, err := mockserver.Start(cfg)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "mockserver: chat backend on", server.URL())
	fmt.Fprintln(out, "mockserver: faults on", server.URL()+"/faults")
	return server.Run(ctx)
}
