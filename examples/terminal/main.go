// Terminal is a chat in the terminal. Answers stream in, with their Markdown,
// and the line above the input shows the state of the connection. Ctrl-C aborts
// an answer. A second Ctrl-C, or one without an answer in progress, exits. The
// input has a history and several lines; /help lists its keys.
//
//	go run ./examples/terminal
//	go run ./examples/terminal -url http://localhost:4000 -chat room-1 -user ada
//
// For pipes, and for any Socket.IO server, there is the command parley with ask
// and tail:
//
//	go run ./cmd/parley help
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
	var wrong *usageError
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return
	case errors.As(err, &wrong):
		fmt.Fprintln(os.Stderr, "terminal:", err)
		os.Exit(2)
	}
	fmt.Fprintln(os.Stderr, "terminal:", err)
	os.Exit(1)
}

// options are the values of the flags.
type options struct {
	url, path, auth string
	chat, user      string
}

// run runs the chat until the user leaves or ctx ends.
func run(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer) error {
	var o options
	flags := flag.NewFlagSet("terminal", flag.ContinueOnError)
	flags.StringVar(&o.chat, "chat", "room-1", "the chat's `id`")
	flags.StringVar(&o.user, "user", cmp.Or(os.Getenv("USER"), "u1"), "the user's `id`")
	flags.SetOutput(errOut)
	flags.StringVar(&o.url, "url", "", "the server's `URL`; if empty, a backend is started in this process")
	flags.StringVar(&o.path, "path", conn.DefaultPath, "the `path` of Socket.IO on the server")
	flags.StringVar(&o.auth, "auth", "", "the `JSON` object to authenticate with")
	flags.Usage = func() {
		fmt.Fprintf(errOut, "Terminal is a chat in the terminal.\n\n  terminal [flags]\n\n")
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return err
	} else if err != nil {
		return &usageError{err}
	}
	config, err := o.conn()
	switch {
	case err != nil:
		return err
	case flags.NArg() > 0:
		return &usageError{fmt.Errorf("%q is not a flag; the terminal has no arguments", flags.Arg(0))}
	case !isTerminal(in) || !isTerminal(out):
		return &usageError{errors.New("input or output is not a terminal; for pipes use: go run ./cmd/parley ask")}
	}

	if o.url == "" {
		server, err := chattest.Start("", chattest.Config{Answer: chattest.Echo(80 * time.Millisecond)})
		if err != nil {
			return err
		}
		defer server.Close()
		o.url = server.URL
	}
	client, err := chat.New(o.url, chat.Config{ChatID: events.StringID(o.chat), Conn: config})
	if err != nil {
		return err
	}
	defer client.Close()
	return converse(ctx, in, out, client, o)
}

// A usageError reports wrong arguments. The exit code is then 2.
type usageError struct{ error }

// conn returns the configuration of the connection. It logs nothing, because
// the states are printed.
func (o options) conn() (conn.Config, error) {
	config := conn.Config{Path: o.path, Logger: slog.New(slog.DiscardHandler)}
	if o.auth != "" {
		if !json.Valid([]byte(o.auth)) {
			return conn.Config{}, &usageError{errors.New("-auth is not JSON")}
		}
		config.Auth = func(context.Context) (any, error) { return json.RawMessage(o.auth), nil }
	}
	return config, nil
}

func isTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(file.Fd())
}
