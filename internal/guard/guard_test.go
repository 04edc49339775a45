package guard_test

import (
	"bytes"
	"errors"
	"log/slog"
	"runtime"
	"testing"

	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/internal/guard"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCall_returnsErrorOrPanic(t *testing.T) {
	failed := errors.New("failed")
	assert.NoError(t, guard.Call(func() error { return nil }))
	assert.Equal(t, failed, guard.Call(func() error { return failed }))
	var panicked *bus.PanicError
	require.ErrorAs(t, guard.Call(func() error { panic("boom") }), &panicked)
	assert.Equal(t, "boom", panicked.Value)
	assert.Contains(t, string(panicked.Stack), "TestCall_returnsErrorOrPanic")
}

func TestThen_reportsGoexit(t *testing.T) {
	result := make(chan error, 1)
	exit := func() error { runtime.Goexit(); return nil }
	go guard.Then(exit, func(err error) { result <- err }) // ends by Goexit
	var exited *bus.PanicError
	require.ErrorAs(t, <-result, &exited)
	assert.Nil(t, exited.Value)
}

func TestLog_logsPanicAndIgnoresThatOfHandler(t *testing.T) {
	var out bytes.Buffer
	panicked := &bus.PanicError{Value: "boom", Stack: []byte("stack")}
	guard.Log(slog.New(slog.NewTextHandler(&out, nil)), panicked, "failed", "event", "e")
	assert.Contains(t, out.String(), "level=ERROR msg=failed event=e panic=boom stack=stack")
	broken := slog.New(slog.NewTextHandler(writerFunc(func([]byte) (int, error) { panic("log") }), nil))
	assert.NotPanics(t, func() { guard.Log(broken, panicked, "failed") })
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

func TestCall_doesNotAllocate(t *testing.T) {
	n := 0
	assert.Zero(t, testing.AllocsPerRun(100, func() { _ = guard.Call(func() error { n++; return nil }) }))
}
