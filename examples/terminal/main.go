// Terminal is a chat in the terminal. Answers stream in, and the line above the
// input shows the state of the connection. Ctrl-C aborts an answer. A second
// Ctrl-C, or one without an answer in progress, exits.
//
//	go run ./examples/terminal
//	go run ./examples/terminal -url http://localhost:4000 -chat room-1 -user ada
//
// With -json it is for pipes. It asks the question in its arguments, or each
// line of its input, and prints every event as a line of JSON. It exits after
// the last answer.
//
//	go run ./examples/terminal -json "Hello?" | jq -r 'select(.event == "ai:token") | .args[0].token'
//
// With tail as its first argument it prints the events of any Socket.IO server,
// in the namespace of the URL's path. Arguments after the flags are the names
// of the events to print; without them it prints all.
//
//	go run ./examples/terminal tail -url http://localhost:3000/admin
//	go run ./examples/terminal tail -url http://localhost:3000 -auth '{"token":"…"}' -join room:enter -payload '{"id":7}' price
//
// It is a module of its own, so that Parley does not depend on its libraries.
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/charmbracelet/x/term"
	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	defer context.AfterFunc(ctx, stop)() // a second signal ends the program
	err := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "terminal:", err)
		os.Exit(1)
	}
}

// options are the values of the flags, and the arguments after them.
type options struct {
	url, path, auth string
	json            bool
	chat, user      string // not for tail
	join, payload   string // for tail only
	words           []string
}

// run runs the command in args until it is done or ctx ends.
func run(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer) error {
	var o options
	watching := len(args) > 0 && args[0] == "tail"
	flags := flag.NewFlagSet("terminal", flag.ContinueOnError)
	if watching {
		args = args[1:]
		flags = flag.NewFlagSet("terminal tail", flag.ContinueOnError)
		flags.StringVar(&o.join, "join", "", "an `event` to send after each connect")
		flags.StringVar(&o.payload, "payload", "", "the `JSON` payload of that event")
	} else {
		flags.StringVar(&o.chat, "chat", "room-1", "the chat's `id`")
		flags.StringVar(&o.user, "user", cmp.Or(os.Getenv("USER"), "u1"), "the user's `id`")
	}
	flags.SetOutput(errOut)
	flags.StringVar(&o.url, "url", "", "the server's `URL`; if empty, a backend is started in this process")
	flags.StringVar(&o.path, "path", conn.DefaultPath, "the `path` of Socket.IO on the server")
	flags.StringVar(&o.auth, "auth", "", "the `JSON` object to authenticate with")
	flags.BoolVar(&o.json, "json", false, "print every event as a line of JSON")
	if err := flags.Parse(args); err != nil {
		return err
	}
	o.words = flags.Args()
	if watching {
		return tail(ctx, out, o)
	}

	if o.url == "" {
		server, err := chattest.Start("", chattest.Config{Answer: chattest.Echo(80 * time.Millisecond)})
		if err != nil {
			return err
		}
		defer server.Close()
		o.url = server.URL
	}
	config, err := o.conn()
	if err != nil {
		return err
	}
	client, err := chat.New(o.url, chat.Config{ChatID: events.StringID(o.chat), Conn: config})
	if err != nil {
		return err
	}
	defer client.Close()
	switch {
	case o.json:
		return batch(ctx, in, out, client, o)
	case isTerminal(in) && isTerminal(out):
		return converse(ctx, in, out, client, o)
	}
	return errors.New("input or output is not a terminal: use -json for pipes")
}

// conn returns the configuration of the connection. It logs nothing, because
// the states are printed.
func (o options) conn() (conn.Config, error) {
	config := conn.Config{Path: o.path, Logger: slog.New(slog.DiscardHandler)}
	if o.auth != "" {
		if !json.Valid([]byte(o.auth)) {
			return conn.Config{}, errors.New("-auth is not JSON")
		}
		config.Auth = func(context.Context) (any, error) { return json.RawMessage(o.auth), nil }
	}
	return config, nil
}

func isTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(file.Fd())
}
