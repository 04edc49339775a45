//go:build unix

package main

import (
	"context"
	"errors"
	"strings"
	"syscall"
	"testing"

	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/events"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	ctrlC = "\x03"
	enter = "\r"
)

func TestTerminal_showsQuestionOnceAndAnswer(t *testing.T) {
	s := show(t, 80, 24, "-user", "ada")
	s.await(t, "ready · room-1 as ada · online: 1 · Ctrl-C leaves")
	s.press(t, "Hello"+enter)
	s.await(t, "ada: Hello", "ai: You said: Hello", "Ctrl-C leaves")
	s.press(t, "And again"+enter)
	seen := s.await(t, "ai: You said: And again", "Ctrl-C leaves")
	assert.Equal(t, 1, strings.Count(seen, "ada: Hello"), "the backend's echo is not shown again")
	s.press(t, ctrlC)
	assert.NoError(t, s.wait())
}

func TestTerminal_ctrlCAbortsAnswerThenExits(t *testing.T) {
	server := chattest.NewServer(chattest.Config{Answer: never})
	defer server.Close()
	s := show(t, 80, 24, "-url", server.URL)
	s.await(t, "ready")
	s.press(t, "Well?"+enter)
	s.await(t, "ai: Well,", "answering, 1 tokens · Ctrl-C aborts")
	s.press(t, ctrlC)
	server.Expect(t, "ai:abort", nil)
	s.await(t, "ai: Well,", "aborted", "Ctrl-C leaves")
	s.press(t, ctrlC)
	assert.NoError(t, s.wait())
}

func TestTerminal_secondCtrlCExitsDuringAnswer(t *testing.T) {
	server := chattest.NewServer(chattest.Config{Answer: never})
	defer server.Close()
	s := show(t, 80, 24, "-url", server.URL)
	s.await(t, "ready")
	s.press(t, "Well?"+enter)
	s.await(t, "Ctrl-C aborts")
	s.press(t, ctrlC+ctrlC)
	assert.NoError(t, s.wait())
	server.Expect(t, "ai:abort", nil)
}

func TestTerminal_sendsOneQuestionAtATime(t *testing.T) {
	server := chattest.NewServer(chattest.Config{Answer: never})
	defer server.Close()
	s := show(t, 80, 24, "-url", server.URL)
	s.await(t, "ready")
	s.press(t, "Well?"+enter)
	s.await(t, "Ctrl-C aborts")
	s.press(t, "Go on!"+enter+" Please!")
	s.await(t, "> Go on! Please!")
	require.Len(t, server.Received("user:message"), 1)
}

func TestTerminal_showsOtherMessagesInOrderAndEscaped(t *testing.T) {
	server := chattest.NewServer(chattest.Config{})
	defer server.Close()
	s := show(t, 80, 24, "-url", server.URL, "-user", "ada")
	s.await(t, "online: 1")
	room := events.StringID("room-1")
	server.Emit(room, events.ChatMessage{MessageID: "1", UserID: events.StringID("bob"), Text: "first\x1b[2J"})
	server.Emit(room, events.ChatMessage{MessageID: "2", UserID: events.StringID("bob"), Text: "second"})
	server.Emit(room, events.AIMessage{RequestID: "bob's", MessageID: "3", Role: "assistant", Text: "third"})
	server.Emit(room, events.Presence{OnlineUserIDs: []events.ID{events.StringID("ada"), events.StringID("bob")}})
	seen := s.await(t, "bob: first\uFFFD[2J", "bob: second", "ai, to another user: third", "online: 2")
	assert.Less(t, strings.Index(seen, "first"), strings.Index(seen, "second"))
	assert.Less(t, strings.Index(seen, "second"), strings.Index(seen, "third"))
}

func TestTerminal_showsLostConnectionInStatus(t *testing.T) {
	server := chattest.NewServer(chattest.Config{})
	s := show(t, 200, 24, "-url", server.URL)
	s.await(t, "ready")
	server.Close()
	s.await(t, "waiting", "Ctrl-C leaves")
	s.press(t, "Anybody there?"+enter)
	s.await(t, "asking · Ctrl-C aborts")
	s.press(t, ctrlC)
	s.await(t, "aborted")
	s.press(t, ctrlC)
	assert.NoError(t, s.wait())
}

func TestTerminal_exitsWhenRefused(t *testing.T) {
	server := chattest.NewServer(chattest.Config{
		Auth: func(auth map[string]any) error { return errors.New("who are you?") },
	})
	defer server.Close()
	s := show(t, 80, 24, "-url", server.URL)
	s.await(t, "terminal: conn: refused by the server: who are you?")
	assert.ErrorContains(t, s.wait(), "exit status 1")
}

func TestTerminal_exitsOnSignal(t *testing.T) {
	s := show(t, 80, 24)
	s.await(t, "ready")
	require.NoError(t, s.program.Process.Signal(syscall.SIGTERM))
	assert.NoError(t, s.wait())
}

func TestTerminal_showsAnswerError(t *testing.T) {
	server := chattest.NewServer(chattest.Config{
		Answer: func(_ context.Context, _ events.UserMessage, emit func(events.Event)) {
			emit(events.AIToken{Token: "I begin"})
			emit(events.AIError{Message: "out of ideas"})
		},
	})
	defer server.Close()
	s := show(t, 80, 24, "-url", server.URL)
	s.await(t, "ready")
	s.press(t, "Well?"+enter)
	s.await(t, "ai: I begin", "no answer: ai error: out of ideas")
}

func TestTerminal_wrapsLongAnswerAndKeepsStatusVisible(t *testing.T) {
	long := strings.Repeat("word ", 60) + "end"
	server := chattest.NewServer(chattest.Config{
		Answer: func(ctx context.Context, _ events.UserMessage, emit func(events.Event)) {
			emit(events.AIToken{Token: long})
			<-ctx.Done()
		},
	})
	defer server.Close()
	s := show(t, 60, 5, "-url", server.URL, "-user", "u")
	s.await(t, "ready")
	s.press(t, "Well?"+enter)
	s.await(t, "word end", "ready · room-1 as u", "> Say something")
}
