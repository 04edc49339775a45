package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/events"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// TestMain runs the program instead of the tests if TERMINAL is set.
func TestMain(m *testing.M) {
	if os.Getenv("TERMINAL") != "" {
		main()
		return
	}
	goleak.VerifyTestMain(m)
}

// noInput is an empty input.
var noInput = strings.NewReader("")

func TestTerminal_writesEventsAsJSONLines(t *testing.T) {
	var out strings.Builder
	require.NoError(t, run(t.Context(), []string{"-json", "-user", "ada", "How", "are you?"}, noInput, &out, io.Discard))
	var names, states []string
	var text strings.Builder
	for _, r := range records(t, out.String()) {
		require.False(t, r.At.IsZero())
		if r.State != "" {
			states = append(states, r.State)
			continue
		}
		names = append(names, r.Event)
		if r.Event == "ai:token" {
			var token events.AIToken
			require.NoError(t, json.Unmarshal(r.Args[0], &token))
			text.WriteString(token.Token)
		}
	}
	assert.Equal(t, "You said: How are you?", text.String())
	assert.Equal(t, []string{"connecting", "connected", "ready", "stopped"}, states)
	assert.Equal(t, "ai:message", names[len(names)-1], "the answer is the last event")
}

func TestTerminal_asksOneQuestionPerInputLine(t *testing.T) {
	server := chattest.NewServer(chattest.Config{
		Answer: func(ctx context.Context, q events.UserMessage, emit func(events.Event)) {
			if q.Text == "Fail." {
				emit(events.AIError{Message: "as you wish"})
				return
			}
			chattest.Echo(0)(ctx, q, emit)
		},
	})
	defer server.Close()
	var out strings.Builder
	in := strings.NewReader("One.\n\nFail.\nThree.")
	require.NoError(t, run(t.Context(), []string{"-json", "-url", server.URL}, in, &out, io.Discard))
	var answers []string
	for _, r := range records(t, out.String()) {
		if r.Event == "ai:message" || r.Event == "ai:error" {
			var answer struct{ Text, Message string }
			require.NoError(t, json.Unmarshal(r.Args[0], &answer))
			answers = append(answers, answer.Text+answer.Message)
		}
	}
	assert.Equal(t, []string{"You said: One.", "as you wish", "You said: Three."}, answers)
}

func TestTerminal_abortsPipedAnswerWhenContextEnds(t *testing.T) {
	server := chattest.NewServer(chattest.Config{Answer: never})
	defer server.Close()
	ctx, cancel := context.WithCancel(t.Context())
	out := writerFunc(func(p []byte) (int, error) {
		if strings.Contains(string(p), "ai:token") {
			cancel()
		}
		return len(p), nil
	})
	assert.ErrorIs(t, run(ctx, []string{"-json", "-url", server.URL, "Well?"}, noInput, out, io.Discard), context.Canceled)
	server.Expect(t, "ai:abort", nil)
}

func TestTerminal_endsOnWriteError(t *testing.T) {
	server := chattest.NewServer(chattest.Config{Answer: never})
	defer server.Close()
	broken := errors.New("broken pipe")
	out := writerFunc(func([]byte) (int, error) { return 0, broken })
	assert.ErrorIs(t, run(t.Context(), []string{"-json", "-url", server.URL, "Well?"}, noInput, out, io.Discard), broken)
	assert.ErrorIs(t, run(t.Context(), []string{"tail", "-url", server.URL}, noInput, out, io.Discard), broken)
}

func TestTerminal_reportsInvalidArguments(t *testing.T) {
	for _, tc := range []struct{ name, arguments, want string }{
		{"no arguments", "", "use -json for pipes"},
		{"tail without -url", "tail", "-url"},
		{"-auth without JSON", "-json -auth {", "-auth is not JSON"},
		{"-payload with tail", "tail -url http://localhost -payload {} ", "-payload"},
		{"-url without scheme", "tail -url localhost", "scheme"},
		{"unknown flag", "-no-such-flag", "not defined"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := run(t.Context(), strings.Fields(tc.arguments), noInput, io.Discard, io.Discard)
			assert.ErrorContains(t, err, tc.want)
		})
	}
}

// never starts an answer that does not end.
func never(ctx context.Context, _ events.UserMessage, emit func(events.Event)) {
	emit(events.AIToken{Token: "Well, "})
	<-ctx.Done()
}

// records decodes lines of JSON.
func records(t *testing.T, out string) []record {
	t.Helper()
	var all []record
	for line := range strings.Lines(out) {
		var r record
		require.NoError(t, json.Unmarshal([]byte(line), &r), line)
		all = append(all, r)
	}
	return all
}

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
