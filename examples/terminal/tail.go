package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"time"

	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/conn"
)

// tail prints the events of any Socket.IO server until ctx ends or the
// connection ends permanently.
func tail(ctx context.Context, out io.Writer, o options) error {
	if o.url == "" {
		return errors.New("tail needs a -url")
	}
	config, err := o.conn()
	if err != nil {
		return err
	}
	if o.payload != "" && (o.join == "" || !json.Valid([]byte(o.payload))) {
		return errors.New("-payload must be JSON, and needs -join")
	}
	if o.join != "" {
		var args []any
		if o.payload != "" {
			args = []any{json.RawMessage(o.payload)}
		}
		config.OnConnect = func(ctx context.Context, s *conn.Session) error { return s.Emit(ctx, o.join, args...) }
	}
	c, err := conn.New(o.url, config)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()

	// No event is dropped: a slow terminal delays the server.
	options := []bus.Option{bus.OnOverflow(bus.Block)}
	if len(o.words) > 0 {
		options = append(options, bus.Filter(func(e conn.Event) bool { return slices.Contains(o.words, e.Name) }))
	}
	raw := c.Raw.Chan(context.Background(), options...) // ends with c.Close, as states does
	states := c.States.Chan(context.Background())
	running := make(chan error, 1)
	go func() { // ends with ctx or with the connection
		err := c.Run(ctx)
		c.Close()
		running <- err
	}()
	printed := printer{out: out, json: o.json, now: time.Now}.print(raw, states)
	cancel()
	for range raw { // events that are not printed must not block Close
	}
	return errors.Join(printed, <-running)
}
