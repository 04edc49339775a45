// Parley is a client for AI chat backends and any other Socket.IO server, for
// use in a shell. It asks questions, prints events as they arrive, sends
// events, serves a mock backend, and reports how a server behaves.
//
//	go install github.com/seed67206a74/parley/cmd/parley@latest
//	parley mock &
//	parley ask http://localhost:4000 "What can you tell me about parley?"
//	parley tail http://localhost:3000/admin price
//	parley emit http://localhost:3000 greet '"hello"' 42
//	parley doctor http://localhost:4000
//
// "parley help" lists the commands, and "parley help COMMAND" describes one.
// The exit code is 0 after success, 1 after a failure, and 2 if the arguments
// are wrong.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

// The exit codes.
const (
	success = 0
	failure = 1
	misuse  = 2
)

// A command is one of the commands of parley.
type command struct {
	name     string
	args     string // as the synopsis shows them
	summary  string
	help     string // the description and examples
	flags    func(*flag.FlagSet, *options)
	run      func(ctx context.Context, s streams, o *options) error
	min, max int // the number of arguments; max -1 is any number
}

// commands returns the commands in the order of the help.
func commands() []command {
	return []command{ask, tail, emit, mock, doctor}
}

// streams are the standard streams of the process.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// A usageError reports wrong arguments. The exit code is then 2.
type usageError struct{ message string }

func (e *usageError) Error() string { return e.message }

// misusef returns a usageError.
func misusef(format string, args ...any) error {
	return &usageError{message: fmt.Sprintf(format, args...)}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], streams{in: os.Stdin, out: os.Stdout, err: os.Stderr})
	stop()
	os.Exit(code)
}

// run runs the command in args until it is done or ctx ends. It returns the
// exit code.
func run(ctx context.Context, args []string, s streams) int {
	if len(args) == 0 {
		overview(s.err)
		return misuse
	}
	name, args := args[0], args[1:]
	switch name {
	case "help", "-h", "-help", "--help":
		return help(args, s)
	}
	c, ok := find(name)
	if !ok {
		fmt.Fprintf(s.err, "parley: unknown command %q; \"parley help\" lists the commands\n", name)
		return misuse
	}
	o := new(options)
	err := c.parse(args, o)
	if errors.Is(err, flag.ErrHelp) {
		c.describe(s.out)
		return success
	}
	if err == nil {
		err = c.run(ctx, s, o)
	}
	var wrong *usageError
	switch {
	case err == nil:
		return success
	case errors.As(err, &wrong):
		fmt.Fprintf(s.err, "parley %s: %v\n\"parley help %s\" describes the command\n", c.name, err, c.name)
		return misuse
	}
	fmt.Fprintf(s.err, "parley %s: %v\n", c.name, err)
	return failure
}

func find(name string) (command, bool) {
	for _, c := range commands() {
		if c.name == name {
			return c, true
		}
	}
	return command{}, false
}

// parse sets the options. Flags may stand before, between and after the
// arguments. All that follows "--" is an argument.
func (c command) parse(args []string, o *options) error {
	flags := c.flagSet(o)
	for len(args) > 0 {
		if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
			return err
		} else if err != nil {
			return misusef("%v", err)
		}
		rest := flags.Args()
		if parsed := args[:len(args)-len(rest)]; len(parsed) > 0 && parsed[len(parsed)-1] == "--" {
			o.args = append(o.args, rest...)
			break
		}
		if len(rest) == 0 {
			break
		}
		o.args, args = append(o.args, rest[0]), rest[1:]
	}
	if n := len(o.args); n < c.min || c.max >= 0 && n > c.max {
		return misusef("the arguments are: %s", c.args)
	}
	return nil
}

func (c command) flagSet(o *options) *flag.FlagSet {
	flags := flag.NewFlagSet(c.name, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	c.flags(flags, o)
	return flags
}

// help describes the command in args, or all commands.
func help(args []string, s streams) int {
	if len(args) == 0 {
		overview(s.out)
		return success
	}
	c, ok := find(args[0])
	if !ok {
		fmt.Fprintf(s.err, "parley help: unknown command %q\n", args[0])
		return misuse
	}
	c.describe(s.out)
	return success
}

func overview(w io.Writer) {
	fmt.Fprint(w, "Parley is a client for AI chat backends and any other Socket.IO server.\n\nUsage:\n\n")
	for _, c := range commands() {
		fmt.Fprintf(w, "  parley %-7s %s\n", c.name, c.summary)
	}
	fmt.Fprint(w, "  parley help    describe a command: parley help ask\n\n"+
		"The exit code is 0 after success, 1 after a failure, and 2 if the arguments are\nwrong.\n")
}

// describe writes the manual of the command.
func (c command) describe(w io.Writer) {
	fmt.Fprintf(w, "NAME\n  parley %s - %s\n\nSYNOPSIS\n  parley %s [flags] %s\n\nDESCRIPTION\n", c.name, c.summary, c.name, c.args)
	description, examples, _ := strings.Cut(strings.TrimSpace(c.help), "\n\nExamples:\n")
	indent(w, description)
	fmt.Fprint(w, "\nFLAGS\n")
	flags := c.flagSet(new(options))
	flags.SetOutput(w)
	flags.PrintDefaults()
	fmt.Fprint(w, "\nEXIT CODE\n  0 after success, 1 after a failure, 2 if the arguments are wrong.\n")
	if examples != "" {
		fmt.Fprint(w, "\nEXAMPLES\n")
		indent(w, examples)
	}
}

func indent(w io.Writer, text string) {
	for line := range strings.Lines(text + "\n") {
		if line != "\n" {
			line = "  " + line
		}
		fmt.Fprint(w, line)
	}
}
