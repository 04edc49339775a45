package main

import (
	"context"
	"encoding/json"
	"flag"

	"github.com/seed67206a74/parley/conn"
)

var emit = command{
	name:    "emit",
	args:    "URL EVENT [JSON ...]",
	summary: "send an event to a Socket.IO server",
	min:     2,
	max:     -1,
	flags: func(flags *flag.FlagSet, o *options) {
		connFlags(flags, o)
		joinFlags(flags, o)
		flags.BoolVar(&o.ack, "ack", false, "wait for the acknowledgement and print each of its arguments on a line; -timeout limits the wait")
	},
	run: runEmit,
	help: `
Emit connects to any Socket.IO server, in the namespace of the URL's path, sends
one event and disconnects. Each argument of the event is JSON: a string needs
its quotes.

Examples:
parley emit http://localhost:3000 greet '"hello"' 42
parley emit -ack http://localhost:3000/admin user:get '{"id":7}'
parley emit -join room:enter -payload '{"id":7}' http://localhost:3000 say '{"text":"hi"}'
`,
}

func runEmit(ctx context.Context, s streams, o *options) error {
	config, err := o.conn(true)
	if err != nil {
		return err
	}
	var args []any
	for _, arg := range o.args[2:] {
		if !json.Valid([]byte(arg)) {
			return misusef("%s is not JSON; a string needs quotes: '\"%s\"'", arg, arg)
		}
		args = append(args, json.RawMessage(arg))
	}
	event := o.args[1]
	if conn.Reserved(event) {
		return misusef("Socket.IO reserves the event name %q", event)
	}
	c, err := conn.New(o.args[0], config)
	if err != nil {
		return misusef("%v", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }() // ends with c.Close
	defer func() {
		c.Close()
		<-ended
	}()
	if err := c.Ready(ctx); err != nil {
		return err
	}
	if !o.ack {
		return c.Emit(ctx, event, args...)
	}
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	reply, err := conn.Call[conn.Args](ctx, c, event, args...)
	if err != nil {
		return err
	}
	for _, arg := range reply {
		if _, err := s.out.Write(append(arg, '\n')); err != nil {
			return err
		}
	}
	return nil
}
