package main

import (
	"context"
	"flag"
	"fmt"

	"github.com/seed67206a74/parley/internal/mockserver"
)

var mock = command{
	name:    "mock",
	args:    "",
	summary: "serve a chat backend to develop against, with faults",
	flags:   func(flags *flag.FlagSet, o *options) { o.mock = mockserver.Defaults(); o.mock.Flags(flags) },
	run:     runMock,
	help: `
Mock serves a chat backend. It keeps rooms and presence, sends messages to their
room, and answers them token by token. A question that mentions "long" has a
long answer, one that mentions "time" calls the tool "clock" of the client.

The page /faults shows the faults and the connected clients. Each fault is also
a flag, and can be changed there while the server runs. It runs until it is
interrupted. The faults have no password: the server is made for a developer's
machine.

Examples:
parley mock
parley mock -addr localhost:4001 -pace 200ms -token secret
parley mock -names AI_TOKEN=llm:delta,USER_MESSAGE=say
parley mock -latency 300ms -drop 0.1 -cut-after 20
`,
}

func runMock(ctx context.Context, s streams, o *options) error {
	server, err := mockserver.Start(o.mock)
	if err != nil {
		return err
	}
	fmt.Fprintf(s.out, "chat backend on %s\nfaults on %s/faults\n", server.URL(), server.URL())
	return server.Run(ctx)
}
