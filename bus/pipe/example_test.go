package pipe_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/bus/pipe"
)

func Example() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel() // ends every stage

	words := pipe.FromSeq(ctx, strings.FieldsSeq("the quick brown fox jumps"))
	long := pipe.Filter(ctx, words, func(w string) bool { return len(w) > 3 })
	err := pipe.Workers(ctx, long, 8, func(_ context.Context, w string) error {
		_, err := fmt.Println(w) // in any order
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Unordered output:
	// quick
	// brown
	// jumps
}

func ExampleFilter() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var messages bus.Topic[string]

	long := pipe.Filter(ctx, messages.Chan(ctx), func(m string) bool { return len(m) > 10 })
	messages.Publish("Hello")
	messages.Publish("How can I help you?")
	messages.Close() // ends the subscription, and so the filter
	for m := range long {
		fmt.Println(m)
	}
	// Output: How can I help you?
}

func ExampleMap() {
	ctx := context.Background()
	words := pipe.FromSeq(ctx, slices.Values([]string{"hello", "world"}))
	for w := range pipe.Map(ctx, words, strings.ToUpper) {
		fmt.Println(w)
	}
	// Output:
	// HELLO
	// WORLD
}

func ExampleBatch() {
	ctx := context.Background()
	rows := pipe.FromSeq(ctx, slices.Values([]int{1, 2, 3, 4, 5}))
	for batch := range pipe.Batch(ctx, rows, 2, time.Second) {
		fmt.Println("insert", batch)
	}
	// Output:
	// insert [1 2]
	// insert [3 4]
	// insert [5]
}

// The first error stops the other workers.
func ExampleWorkers() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel() // the source is not read to its end

	jobs := pipe.FromSeq(ctx, slices.Values([]int{1, 2, 3, 4, 5}))
	var done atomic.Int32
	err := pipe.Workers(ctx, jobs, 1, func(_ context.Context, job int) error {
		if job == 3 {
			return errors.New("job 3: no such file")
		}
		done.Add(1)
		return nil
	})
	fmt.Println(done.Load(), "done:", err)
	// Output: 2 done: job 3: no such file
}

// One worker builds each answer, so its tokens stay in order and no lock is
// needed.
func ExampleSharded() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	type token struct{ request, text string }
	tokens := pipe.FromSeq(ctx, slices.Values([]token{
		{"r1", "Good "}, {"r2", "Never "}, {"r1", "morning"}, {"r2", "mind"},
	}))

	answers := map[string]*strings.Builder{"r1": {}, "r2": {}}
	err := pipe.Sharded(ctx, tokens, 8, func(t token) string { return t.request },
		func(_ context.Context, t token) error {
			answers[t.request].WriteString(t.text)
			return nil
		})
	fmt.Println(answers["r1"], answers["r2"], err)
	// Output: Good morning Never mind <nil>
}

// A panic ends the pipeline, so that no value is missing.
func ExampleWithCancelOnPanic() {
	ctx, cancel := pipe.WithCancelOnPanic(context.Background())
	defer cancel()

	halves := pipe.Map(ctx, pipe.FromSeq(ctx, slices.Values([]int{1, 0})), func(n int) int { return 100 / n })
	_, err := pipe.Collect(ctx, halves)
	fmt.Println(err)
	// Output: bus: panic: runtime error: integer divide by zero
}
