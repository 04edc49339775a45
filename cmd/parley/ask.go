package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"

	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/bus/pipe"
	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/events"
)

var ask = command{
	name:    "ask",
	args:    "URL [TEXT ...]",
	summary: "ask a chat backend a question and print the answer as it streams in",
	min:     1,
	max:     -1,
	flags: func(flags *flag.FlagSet, o *options) {
		connFlags(flags, o)
		roomFlags(flags, o)
		flags.BoolVar(&o.json, "json", false, "print every event, and each state of the connection, as a line of JSON")
	},
	run: runAsk,
	help: `
Ask connects to the chat backend at URL, joins the room of -chat and asks the
question in TEXT. Without TEXT it asks each line of its input, one after the
other. The answer goes to the standard output. Status, tool calls and errors go
to the standard error.

Ask fails if the backend reports an error instead of the answer. An interrupt
aborts the answer.

Examples:
parley ask http://localhost:4000 "What can you tell me about parley?"
parley ask -chat room-7 -user ada -auth '{"token":"…"}' http://localhost:4000 Hello
parley ask http://localhost:4000 < questions.txt
parley ask -json http://localhost:4000 Hello | jq -r 'select(.event == "ai:token") | .args[0].token'
`,
}

func runAsk(ctx context.Context, s streams, o *options) error {
	config, err := o.conn(true)
	if err != nil {
		return err
	}
	client, err := chat.New(o.args[0], chat.Config{ChatID: events.StringID(o.chat), Conn: config})
	if err != nil {
		return misusef("%v", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	printed := make(chan error, 1)
	if o.json {
		// No event is dropped: a slow reader of the pipe delays the backend.
		// Both channels end with client.Close, after their last value.
		raw := client.Raw.Chan(context.Background(), bus.OnOverflow(bus.Block))
		states := client.States.Chan(context.Background())
		go func() { // ends with client.Close
			err := printer{out: s.out, json: true}.print(raw, states)
			if err != nil {
				cancel() // the pipe is closed
				for range raw {
				}
			}
			printed <- err
		}()
	} else {
		printed <- nil
	}
	running := make(chan error, 1)
	go func() { running <- client.Run(ctx) }() // ends with client.Close

	// A read of the input cannot be interrupted. Seq ends with ctx even while
	// the goroutine of FromSeq is blocked in a read.
	questions := pipe.Seq(ctx, pipe.FromSeq(ctx, lines(s.in)))
	if text := strings.Join(o.args[1:], " "); text != "" {
		questions = slices.Values([]string{text})
	}
	err = askAll(ctx, s, client, o, questions)
	client.Close()
	<-running
	if failure := <-printed; failure != nil {
		return failure
	}
	return err
}

// askAll asks one question after the other. An answer that the backend reports
// as failed does not stop the questions after it.
func askAll(ctx context.Context, s streams, client *chat.Client, o *options, questions iter.Seq[string]) error {
	if err := client.Ready(ctx); err != nil {
		return err
	}
	var last error
	for question := range questions {
		stream, err := client.Ask(ctx, chat.Question{UserID: events.StringID(o.user), Text: question})
		if err != nil {
			return err
		}
		if o.json {
			_, err = stream.Wait()
		} else {
			err = show(s, stream)
		}
		if err == nil {
			continue
		}
		if _, failed := errors.AsType[*events.AIError](err); !failed {
			return err
		}
		last = err
	}
	if err := ctx.Err(); err != nil {
		return errors.New("interrupted")
	}
	return last
}

// show prints an answer as it arrives.
func show(s streams, stream *chat.Stream) error {
	written := false
	for event, err := range stream.Events() {
		if err != nil {
			if written {
				fmt.Fprintln(s.out)
			}
			return err
		}
		switch e := event.(type) {
		case events.AIToken:
			written = true
			_, err = fmt.Fprint(s.out, clean(e.Token))
		case events.AIMessage:
			if !written {
				_, err = fmt.Fprint(s.out, clean(e.Text))
			}
			fmt.Fprintln(s.out)
		case events.AIProcessing:
			_, err = fmt.Fprintf(s.err, "(%s)\n", clean(string(e.Status)))
		case events.AIToolCall:
			_, err = fmt.Fprintf(s.err, "(calls %s %s)\n", clean(e.ToolName), clean(string(e.Args)))
		case events.AIToolResult:
			_, err = fmt.Fprintf(s.err, "(result %s)\n", clean(string(e.Result)))
		}
		if err != nil {
			stream.Abort("")
			return err
		}
	}
	return nil
}

// lines yields the lines of the input that are not empty.
func lines(in io.Reader) iter.Seq[string] {
	return func(yield func(string) bool) {
		for scanner := bufio.NewScanner(in); scanner.Scan(); {
			if line := strings.TrimSpace(scanner.Text()); line != "" && !yield(line) {
				return
			}
		}
	}
}
