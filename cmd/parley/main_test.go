package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// runCommand runs parley with an input.
func runCommand(t *testing.T, input string, args ...string) (code int, out, complaints string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var o, e strings.Builder
	code = run(ctx, args, streams{in: strings.NewReader(input), out: &o, err: &e})
	return code, o.String(), e.String()
}

func TestParley_reportsInvalidArguments(t *testing.T) {
	for _, tc := range []struct{ name, args, want string }{
		{"no command", "", "Usage:"},
		{"unknown command", "listen", "unknown command \"listen\""},
		{"help for an unknown command", "help listen", "unknown command \"listen\""},
		{"unknown flag", "tail http://localhost -wrong", "not defined: -wrong"},
		{"no URL", "ask", "the arguments are: URL [TEXT ...]"},
		{"too many arguments", "doctor http://localhost http://localhost", "the arguments are: URL"},
		{"URL without scheme", "tail localhost", "scheme"},
		{"-auth is no object", "ask http://localhost -auth 7", "-auth is not a JSON object"},
		{"-payload without -join", "tail http://localhost -payload {}", "needs -join"},
		{"-header without colon", "tail http://localhost -header x", "\"Name: value\""},
		{"-transport is unknown", "tail http://localhost -transport pigeon", "pigeon"},
		{"an argument that is not JSON", "emit http://localhost greet hello", "needs quotes"},
		{"a reserved event", "emit http://localhost connect", "reserves"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			code, out, complaints := runCommand(t, "", strings.Fields(tc.args)...)
			assert.Equal(t, misuse, code)
			assert.Contains(t, complaints, tc.want)
			assert.Empty(t, out)
		})
	}
}

func TestParley_describesEachCommand(t *testing.T) {
	code, out, _ := runCommand(t, "", "help")
	assert.Equal(t, success, code)
	for _, c := range commands() {
		assert.Contains(t, out, "parley "+c.name)
		for _, args := range [][]string{{"help", c.name}, {c.name, "-h"}} {
			code, out, complaints := runCommand(t, "", args...)
			assert.Equal(t, success, code)
			assert.Empty(t, complaints)
			for _, section := range []string{"NAME", "SYNOPSIS", "DESCRIPTION", "FLAGS", "EXIT CODE", "EXAMPLES"} {
				assert.Contains(t, out, section+"\n", c.name)
			}
		}
	}
}

func TestParley_endsWhenNothingListens(t *testing.T) {
	url := "http://" + wiretest.RefusingAddr(t)
	for _, args := range [][]string{{"ask", url, "Hello"}, {"tail", url}, {"emit", url, "greet"}, {"doctor", url}} {
		t.Run(args[0], func(t *testing.T) {
			code, _, complaints := runCommand(t, "", args...)
			assert.Equal(t, failure, code)
			assert.Contains(t, complaints, "connection refused")
		})
	}
}

func TestAsk_printsAnswer(t *testing.T) {
	server := chattest.NewServer(chattest.Config{Answer: chattest.Echo(0)})
	defer server.Close()
	code, out, complaints := runCommand(t, "", "ask", server.URL, "How", "are you?", "-user", "ada")
	assert.Equal(t, success, code, complaints)
	assert.Equal(t, "You said: How are you?\n", out)
}

func TestAsk_writesEventsAsJSONLines(t *testing.T) {
	server := chattest.NewServer(chattest.Config{Answer: chattest.Echo(0)})
	defer server.Close()
	code, out, complaints := runCommand(t, "", "ask", "-json", server.URL, "How are you?")
	require.Equal(t, success, code, complaints)
	var names, states []string
	var text strings.Builder
	for _, r := range records(t, out) {
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

func TestAsk_asksOneQuestionPerInputLine(t *testing.T) {
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
	code, out, complaints := runCommand(t, "One.\n\nFail.\nThree.", "ask", server.URL)
	assert.Equal(t, failure, code)
	assert.Equal(t, "You said: One.\nYou said: Three.\n", out)
	assert.Contains(t, complaints, "as you wish")
}

func TestAsk_abortsAnswerWhenContextEnds(t *testing.T) {
	server := chattest.NewServer(chattest.Config{Answer: never})
	defer server.Close()
	ctx, cancel := context.WithCancel(t.Context())
	out := writerFunc(func(p []byte) (int, error) { cancel(); return len(p), nil })
	var complaints strings.Builder
	code := run(ctx, []string{"ask", server.URL, "Well?"}, streams{in: strings.NewReader(""), out: out, err: &complaints})
	assert.Equal(t, failure, code)
	server.Expect(t, "ai:abort", nil)
}

func TestParley_endsOnWriteError(t *testing.T) {
	server := chattest.NewServer(chattest.Config{Answer: never})
	defer server.Close()
	broken := writerFunc(func([]byte) (int, error) { return 0, errors.New("broken pipe") })
	for _, args := range [][]string{{"ask", server.URL, "Well?"}, {"ask", "-json", server.URL, "Well?"}, {"tail", server.URL}} {
		t.Run(strings.Join(args[:2], " "), func(t *testing.T) {
			var complaints strings.Builder
			code := run(wiretest.Context(t), args, streams{in: strings.NewReader(""), out: broken, err: &complaints})
			assert.Equal(t, failure, code)
			assert.Contains(t, complaints.String(), "broken pipe")
		})
	}
}

func TestEmit_sendsEventAndPrintsAcknowledgement(t *testing.T) {
	server := chattest.NewServer(chattest.Config{})
	defer server.Close()
	server.Handle("greet", func(_ context.Context, r chattest.Received) (any, error) {
		return map[string]any{"ok": true}, nil
	})
	code, out, complaints := runCommand(t, "", "emit", "-ack", server.URL, "greet", `{"id":7}`)
	assert.Equal(t, success, code, complaints)
	assert.Equal(t, `{"ok":true}`+"\n", out)
	server.Expect(t, "greet", map[string]any{"id": 7})

	code, _, complaints = runCommand(t, "", "emit", server.URL, "greet", `{"id":8}`)
	assert.Equal(t, success, code, complaints)
	server.Expect(t, "greet", map[string]any{"id": 8})
}

func TestMock_servesUntilContextEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	out, in := io.Pipe()
	ended := make(chan int, 1)
	go func() { // ends with ctx
		ended <- run(ctx, []string{"mock", "-addr", "127.0.0.1:0", "-pace", "1ms"}, streams{out: in, err: io.Discard})
		in.Close()
	}()
	printed := make([]byte, 200)
	n, err := out.Read(printed)
	require.NoError(t, err)
	url, _, _ := strings.Cut(strings.TrimPrefix(string(printed[:n]), "chat backend on "), "\n")
	code, answer, complaints := runCommand(t, "", "ask", url, "Hello")
	assert.Equal(t, success, code, complaints)
	assert.Contains(t, answer, "You said: “Hello”.")
	cancel()
	_, err = io.Copy(io.Discard, out)
	assert.NoError(t, err)
	assert.Equal(t, success, <-ended)
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
