//go:build unix

package main

import (
	"context"
	"strings"
	"testing"

	"github.com/creack/pty"
	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/events"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	up       = "\x1b[A"
	down     = "\x1b[B"
	altEnter = "\x1b\r"
)

func paste(text string) string { return "\x1b[200~" + text + "\x1b[201~" }

func TestInput_showsHistoryAndDraft(t *testing.T) {
	server := chattest.NewServer(chattest.Config{Answer: chattest.Say("Yes.", 0)})
	defer server.Close()
	s := show(t, 80, 24, "-url", server.URL)
	s.await(t, "ready")
	for _, question := range []string{"First?", "Second?"} {
		s.press(t, question+enter)
		server.Expect(t, "user:message", map[string]any{"text": question})
		s.await(t, "u1: "+question, "Ctrl-C leaves", "> Say something")
	}
	s.press(t, "a draft"+up)
	s.await(t, "> Second?")
	s.press(t, up)
	s.await(t, "> First?")
	s.press(t, down+down)
	s.await(t, "> a draft")
	s.press(t, up+up+enter)
	server.Expect(t, "user:message", map[string]any{"text": "First?"})
}

func TestInput_hasSeveralLines(t *testing.T) {
	server := chattest.NewServer(chattest.Config{Answer: chattest.Say("Yes.", 0)})
	defer server.Close()
	s := show(t, 80, 24, "-url", server.URL)
	s.await(t, "ready")
	s.press(t, "one"+altEnter+"two")
	s.await(t, "> one", "> two")
	s.press(t, paste("\nthree\nfour"))
	s.await(t, "> three", "> four")
	require.Empty(t, server.Received("user:message"), "a paste does not send")
	s.press(t, enter)
	server.Expect(t, "user:message", map[string]any{"text": "one\ntwo\nthree\nfour"})
}

func TestTerminal_showsHelpWithoutQuestion(t *testing.T) {
	s := show(t, 80, 24)
	s.await(t, "ready")
	s.press(t, "/help"+enter)
	s.await(t, "Alt-Enter", "Up, Down", "> Say something")
	s.press(t, "Hello"+enter)
	seen := s.await(t, "ai: You said: Hello")
	assert.NotContains(t, seen, "You said: /help")
}

func TestTerminal_showsMarkdownAndWideCharacters(t *testing.T) {
	server := chattest.NewServer(chattest.Config{
		Answer: chattest.Say("A **bold** word, 漢字とひらがな, and code:\n\n```go\nfunc main() {\n\tfmt.Println(\"a < b\")\n}\n```\n", 0),
	})
	defer server.Close()
	s := show(t, 80, 24, "-url", server.URL)
	s.await(t, "ready")
	s.press(t, "漢字?"+enter)
	seen := s.await(t, "u1: 漢字?", "A bold word, 漢字とひらがな, and code:", "    func main() {", "        fmt.Println(\"a < b\")", "Ctrl-C leaves")
	assert.NotContains(t, seen, "```")
	assert.NotContains(t, seen, "**")
}

func TestTerminal_redrawsAfterResize(t *testing.T) {
	server := chattest.NewServer(chattest.Config{
		Answer: func(ctx context.Context, _ events.UserMessage, emit func(events.Event)) {
			emit(events.AIToken{Token: strings.Repeat("words 漢字 ", 12) + "end"})
			<-ctx.Done()
		},
	})
	defer server.Close()
	s := show(t, 80, 24, "-url", server.URL)
	s.await(t, "ready")
	s.press(t, "Well?"+enter)
	s.await(t, "end", "Ctrl-C aborts")
	s.press(t, "typed during the answer")
	s.await(t, "> typed during the answer")
	for _, width := range []int{30, 100} {
		s.mu.Lock()
		s.emulator.Resize(width, 24)
		s.mu.Unlock()
		require.NoError(t, pty.Setsize(s.keyboard, &pty.Winsize{Rows: 24, Cols: uint16(width)}))
		// Another key is drawn after the resize.
		s.press(t, ".")
		seen := s.await(t, "typed during", "answer.", "end")
		assert.Equal(t, 12, strings.Count(seen, "漢字"), "each word once:\n%s", seen)
		assert.Equal(t, 1, strings.Count(seen, "typed during"), seen)
	}
}
