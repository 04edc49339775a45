//go:build unix

package main

import (
	"fmt"
	"html"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/ultraviolet"
	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/stretchr/testify/require"
)

// The test writes the screen as HTML to the file TERMINAL_PICTURE, if that is
// set, as in make picture.
func TestConversation_showsHelpMarkdownAndTypedLines(t *testing.T) {
	server := chattest.NewServer(chattest.Config{
		Answer: chattest.Say("Subscribe **before** `Run`, so that no event is missed:\n\n```go\ntokens := client.Tokens.Chan(ctx)\ngo client.Run(ctx)\nfor token := range tokens {\n\tfmt.Print(token.Token) // 漢字, too\n}\n```\n\n- The channel stays open over reconnects.\n- It closes when `ctx` ends.", 5*time.Millisecond),
	})
	defer server.Close()
	s := show(t, 80, 30, "-url", server.URL, "-user", "ada")
	s.await(t, "ready")
	s.press(t, "/help"+enter)
	s.await(t, "Alt-Enter")
	s.press(t, "How do I read"+altEnter+"the tokens?"+enter)
	s.await(t, "It closes when", "Ctrl-C leaves")
	s.press(t, "And what if"+altEnter+"my reader is slow?")
	s.await(t, "> And what if", "> my reader is slow?")
	page := s.html()
	require.Contains(t, page, "font-weight:bold", "Markdown is rendered")
	if file := os.Getenv("TERMINAL_PICTURE"); file != "" {
		require.NoError(t, os.WriteFile(file, []byte(page), 0o644))
	}
}

// html returns the screen as a page.
func (s *screen) html() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var page strings.Builder
	page.WriteString("<!doctype html><meta charset=utf-8><style>body{margin:0;background:#15191e;color:#d8dee6}pre{margin:16px;font:15px/1.35 'DejaVu Sans Mono','Liberation Mono',monospace}</style><pre>")
	for y := range s.emulator.Height() {
		for x := range s.emulator.Width() {
			if cell := s.emulator.CellAt(x, y); cell != nil && cell.Width > 0 {
				fmt.Fprintf(&page, "<span style='%s'>%s</span>", css(cell.Style), html.EscapeString(cell.Content))
			}
		}
		page.WriteString("\n")
	}
	return page.String()
}

func css(style uv.Style) string {
	var all strings.Builder
	colour := func(name string, r, g, b uint32) { fmt.Fprintf(&all, "%s:#%02x%02x%02x;", name, r>>8, g>>8, b>>8) }
	if style.Fg != nil {
		r, g, b, _ := style.Fg.RGBA()
		colour("color", r, g, b)
	}
	if style.Bg != nil {
		r, g, b, _ := style.Bg.RGBA()
		colour("background", r, g, b)
	}
	if style.Attrs&uv.AttrBold != 0 {
		all.WriteString("font-weight:bold;")
	}
	if style.Attrs&uv.AttrFaint != 0 {
		all.WriteString("opacity:.65;")
	}
	if style.Attrs&uv.AttrReverse != 0 {
		all.WriteString("background:#d8dee6;color:#15191e;")
	}
	return all.String()
}
