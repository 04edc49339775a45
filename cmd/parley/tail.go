package main

import (
	"context"
	"errors"
	"flag"
	"slices"

	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/conn"
)

var tail = command{
	name:    "tail",
	args:    "URL [EVENT ...]",
	summary: "print the events of a Socket.IO server as they arrive",
	min:     1,
	max:     -1,
	flags: func(flags *flag.FlagSet, o *options) {
		connFlags(flags, o)
		joinFlags(flags, o)
		flags.BoolVar(&o.json, "json", false, "print each event and each state as a line of JSON")
	},
	run: runTail,
	help: `
Tail connects to any Socket.IO server, in the namespace of the URL's path, and
prints its events: the time, the name and the arguments. With names as
arguments it prints the events of these names only. Lines that begin with "--"
after the time are states of the connection.

A lost connection is opened again. If the first attempt fails, tail ends with
the error. It runs until it is interrupted.

Examples:
parley tail http://localhost:3000/admin
parley tail http://localhost:3000 price news
parley tail -auth '{"token":"…"}' -join room:enter -payload '{"id":7}' http://localhost:3000
parley tail -json http://localhost:3000 | jq -r 'select(.event == "price") | .args[0]'
`,
}

// runTail prints events until ctx ends or the connection ends permanently.
func runTail(ctx context.Context, s streams, o *options) error {
	config, err := o.conn(false)
	if err != nil {
		return err
	}
	c, err := conn.New(o.args[0], config)
	if err != nil {
		return misusef("%v", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()

	// No event is dropped: a slow terminal delays the server.
	options := []bus.Option{bus.OnOverflow(bus.Block)}
	if names := o.args[1:]; len(names) > 0 {
		options = append(options, bus.Filter(func(e conn.Event) bool { return slices.Contains(names, e.Name) }))
	}
	raw := c.Raw.Chan(context.Background(), options...) // ends with c.Close, as states does
	states := c.States.Chan(context.Background())
	failed := firstFailure(c, cancel)
	running := make(chan error, 1)
	go func() { // ends with ctx or with the connection
		err := c.Run(ctx)
		c.Close()
		running <- err
	}()
	printed := printer{out: s.out, json: o.json}.print(raw, states)
	cancel()
	for range raw { // events that are not printed must not block Close
	}
	return errors.Join(printed, <-failed, <-running)
}

// firstFailure calls cancel if the first attempt to connect fails. The channel
// that it returns has the error of that attempt, or nil, once c is closed.
func firstFailure(c *conn.Conn, cancel func()) <-chan error {
	states := c.States.Chan(context.Background())
	failed := make(chan error, 1)
	go func() { // ends with c.Close
		defer close(failed)
		connected := false
		for state := range states {
			switch {
			case state.Phase == conn.Ready:
				connected = true
			case state.Phase == conn.Waiting && !connected:
				failed <- state.Err
				cancel()
				return
			}
		}
	}()
	return failed
}
