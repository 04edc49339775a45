package main

import (
	"context"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/examples/internal/exampletest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) { exampletest.Main(m, main) }

func TestSelectloop_reportsMissingServer(t *testing.T) {
	exampletest.ReportsMissingServer(t, "connection refused", 1, "-url", exampletest.NoServer)
}

// stateLines matches the lines about the connection. They can stand anywhere in
// the answer.
var stateLines = regexp.MustCompile(`\[[a-z]+\]\n`)

func TestSelectLoop_printsStatesAndAnswer(t *testing.T) {
	var out strings.Builder
	require.NoError(t, run(t.Context(), &out, "", "room-1", "How are you?", time.Minute))
	assert.Contains(t, out.String(), "[ready]\n")
	assert.Equal(t, "You said: How are you?\n", stateLines.ReplaceAllString(out.String(), ""))
}

func TestSelectLoop_continuesAnswerAfterLostConnection(t *testing.T) {
	received := make(chan struct{}) // closed when the client has a session to resume
	server := chattest.NewServer(chattest.Config{
		Recovery: time.Minute,
		Answer: func(ctx context.Context, _ events.UserMessage, emit func(events.Event)) {
			emit(events.AIToken{Token: "before "})
			<-received
			chattest.SocketFromContext(ctx).CloseNow()
			emit(events.AIToken{Token: "and after", Index: 1})
			emit(events.AIMessage{MessageID: "m2", Role: "assistant", Text: "before and after", CreatedAt: time.Now()})
		},
	})
	defer server.Close()
	var printed strings.Builder
	out := writerFunc(func(p []byte) {
		printed.Write(p)
		if string(p) == "before " {
			close(received)
		}
	})
	require.NoError(t, run(t.Context(), out, server.URL, "room-1", "Well?", time.Minute))
	assert.Equal(t, "before and after\n", stateLines.ReplaceAllString(printed.String(), ""))
}

func TestSelectLoop_returnsAnswerError(t *testing.T) {
	server := chattest.NewServer(chattest.Config{
		Answer: func(_ context.Context, _ events.UserMessage, emit func(events.Event)) {
			emit(events.AIError{RequestID: "of another user", Message: "not yours"})
			emit(events.AIError{Code: "overloaded", Message: "try later"})
		},
	})
	defer server.Close()
	err := run(t.Context(), &strings.Builder{}, server.URL, "room-1", "Well?", time.Minute)
	require.ErrorAs(t, err, new(*events.AIError))
	assert.ErrorContains(t, err, "try later")
}

func TestSelectLoop_failsOnSilentBackend(t *testing.T) {
	server := chattest.NewServer(chattest.Config{
		Answer: func(ctx context.Context, _ events.UserMessage, _ func(events.Event)) { <-ctx.Done() },
	})
	defer server.Close()
	err := run(t.Context(), &strings.Builder{}, server.URL, "room-1", "Well?", time.Millisecond)
	assert.ErrorContains(t, err, "no token from the backend for 1ms")
}

func TestSelectLoop_stopsWhenContextEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	server := chattest.NewServer(chattest.Config{
		Answer: func(ctx context.Context, _ events.UserMessage, _ func(events.Event)) {
			cancel()
			<-ctx.Done()
		},
	})
	defer server.Close()
	assert.ErrorIs(t, run(ctx, &strings.Builder{}, server.URL, "room-1", "Well?", time.Minute), context.Canceled)
}

type writerFunc func(p []byte)

func (f writerFunc) Write(p []byte) (int, error) { f(p); return len(p), nil }
