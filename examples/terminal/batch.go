package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/bus/pipe"
	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/events"
)

// batch asks the question in the options, or each line of the input in turn,
// and prints every event.
func batch(ctx context.Context, in io.Reader, out io.Writer, client *chat.Client, o options) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// No event is dropped: a slow reader of the pipe delays the backend. Both
	// channels end with client.Close, after their last value.
	raw := client.Raw.Chan(context.Background(), bus.OnOverflow(bus.Block))
	states := client.States.Chan(context.Background())
	printed := make(chan error, 1)
	go func() { // ends with client.Close
		err := printer{out: out, json: true, now: time.Now}.print(raw, states)
		if err != nil {
			cancel() // the pipe is closed
			for range raw {
			}
		}
		printed <- err
	}()
	go client.Run(ctx) // ends with client.Close

	questions := slices.Values([]string{strings.Join(o.words, " ")})
	if len(o.words) == 0 {
		// A read of the input cannot be interrupted. Seq ends with ctx even
		// while the goroutine of FromSeq is blocked in a read.
		questions = pipe.Seq(ctx, pipe.FromSeq(ctx, lines(in)))
	}
	err := askAll(ctx, client, events.StringID(o.user), questions)
	client.Close()
	if failure := <-printed; failure != nil {
		return failure
	}
	return err
}

// askAll asks one question after the other. It continues after an answer that
// the backend reports as failed: the error is printed as an event.
func askAll(ctx context.Context, client *chat.Client, user events.ID, questions iter.Seq[string]) error {
	for question := range questions {
		_, err := client.Answer(ctx, chat.Question{UserID: user, Text: question})
		if _, failed := errors.AsType[*events.AIError](err); err != nil && !failed {
			return err
		}
	}
	return ctx.Err()
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
