package pipe_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"log"
	"log/slog"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/bus/pipe"
)

func explode(value any) { panic(value) }

func exit() { runtime.Goexit() }

// requirePanic checks that err is a panic of explode with value, or Goexit of
// exit if value is nil.
func requirePanic(t *testing.T, value any, err error) {
	t.Helper()
	var p *bus.PanicError
	require.ErrorAs(t, err, &p)
	require.Equal(t, value, p.Value)
	culprit := "pipe_test.explode"
	if value == nil {
		culprit = "pipe_test.exit"
	}
	require.Contains(t, string(p.Stack), culprit)
}

// faulty are the stages with a function. The function calls fault for 3.
var faulty = map[string]func(ctx context.Context, in <-chan int, fault func()) <-chan int{
	"Map": func(ctx context.Context, in <-chan int, fault func()) <-chan int {
		return pipe.Map(ctx, in, func(n int) int {
			if n == 3 {
				fault()
			}
			return n
		})
	},
	"Filter": func(ctx context.Context, in <-chan int, fault func()) <-chan int {
		return pipe.Filter(ctx, in, func(n int) bool {
			if n == 3 {
				fault()
			}
			return true
		})
	},
	"FlatMap": func(ctx context.Context, in <-chan int, fault func()) <-chan int {
		return pipe.FlatMap(ctx, in, func(n int) iter.Seq[int] {
			if n == 3 {
				fault()
			}
			return func(yield func(int) bool) { yield(n) }
		})
	},
	"sequence of FlatMap": func(ctx context.Context, in <-chan int, fault func()) <-chan int {
		return pipe.FlatMap(ctx, in, func(n int) iter.Seq[int] {
			return func(yield func(int) bool) {
				if n == 3 {
					fault()
				}
				yield(n)
			}
		})
	},
}

// captureLog returns the log of slog.Default during the test. It may be read
// after all logging has ended.
func captureLog(t *testing.T) *bytes.Buffer {
	logger, w, flags := slog.Default(), log.Writer(), log.Flags()
	t.Cleanup(func() {
		slog.SetDefault(logger)
		log.SetOutput(w)
		log.SetFlags(flags)
	})
	buf := new(bytes.Buffer)
	slog.SetDefault(slog.New(slog.NewTextHandler(buf, nil)))
	return buf
}

func TestStage_dropsValueAndLogsOnPanic(t *testing.T) {
	for name, start := range faulty {
		t.Run(name, func(t *testing.T) {
			logged := captureLog(t)
			out := start(t.Context(), numbers(6), func() { explode("boom") })
			assert.Equal(t, []int{0, 1, 2, 4, 5}, read(t, out))
			assert.Equal(t, 1, strings.Count(logged.String(), "level=ERROR"))
			assert.Contains(t, logged.String(), "bus: panic: boom")
			assert.Contains(t, logged.String(), "pipe_test.explode")
		})
	}
}

func TestStage_closesAndLogsOnGoexit(t *testing.T) {
	for name, start := range faulty {
		t.Run(name, func(t *testing.T) {
			logged := captureLog(t)
			assert.Equal(t, []int{0, 1, 2}, read(t, start(t.Context(), numbers(6), exit)))
			assert.Contains(t, logged.String(), "runtime.Goexit")
		})
	}
}

func TestFromSeq_closesAndLogsOnPanic(t *testing.T) {
	logged := captureLog(t)
	out := pipe.FromSeq(t.Context(), func(yield func(int) bool) {
		yield(1)
		explode("boom")
	})
	assert.Equal(t, []int{1}, read(t, out))
	assert.Contains(t, logged.String(), "bus: panic: boom")
}

// sinks are the functions at the end of a pipeline. They return the error only.
var sinks = map[string]func(ctx context.Context, in <-chan int) error{
	"Workers": func(ctx context.Context, in <-chan int) error {
		return pipe.Workers(ctx, in, 2, hang)
	},
	"Sharded": func(ctx context.Context, in <-chan int) error {
		return pipe.Sharded(ctx, in, 2, func(n int) int { return n }, hang)
	},
	"Collect": func(ctx context.Context, in <-chan int) error {
		_, err := pipe.Collect(ctx, in)
		return err
	},
	"First": func(ctx context.Context, in <-chan int) error {
		_, err := pipe.First(ctx, pipe.Filter(ctx, in, func(n int) bool { return n > 3 }))
		return err
	},
}

func TestWithCancelOnPanic_endsPipelineWithPanicError(t *testing.T) {
	for name, start := range faulty {
		for sink, run := range sinks {
			t.Run(name+" to "+sink, func(t *testing.T) {
				logged := captureLog(t)
				synctest.Test(t, func(t *testing.T) {
					ctx, cancel := pipe.WithCancelOnPanic(t.Context())
					defer cancel()
					derived, cancel := context.WithCancel(ctx)
					defer cancel()
					in := start(derived, open(0, 3), func() { explode("boom") })
					requirePanic(t, "boom", run(ctx, in))
					requirePanic(t, "boom", context.Cause(ctx))
				})
				assert.Empty(t, logged.String(), "the error is returned, not logged")
			})
		}
	}
}

func TestWithCancelOnPanic_isCanceledByParentOrCancel(t *testing.T) {
	parent, cancelParent := context.WithCancelCause(t.Context())
	ctx, cancel := pipe.WithCancelOnPanic(parent)
	defer cancel()
	cancelParent(io.EOF)
	assert.Equal(t, context.Canceled, ctx.Err())
	assert.Equal(t, io.EOF, context.Cause(ctx))

	ctx, cancel = pipe.WithCancelOnPanic(t.Context())
	cancel()
	assert.Equal(t, context.Canceled, ctx.Err())
	assert.Equal(t, context.Canceled, context.Cause(ctx))
}

func TestPanicError_doesNotUnwrapPanicValue(t *testing.T) {
	err := pipe.Workers(t.Context(), of(1), 1, func(context.Context, int) error { panic(io.EOF) })
	assert.False(t, errors.Is(err, io.EOF))
	assert.EqualError(t, err, "bus: panic: EOF")
}
