package main

import (
	"fmt"
	"strings"
	"unicode"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
)

var (
	person  = lipgloss.NewStyle().Bold(true).Foreground(lipgloss.Cyan)
	machine = lipgloss.NewStyle().Bold(true).Foreground(lipgloss.Magenta)
	failed  = lipgloss.NewStyle().Bold(true).Foreground(lipgloss.Red)
	status  = lipgloss.NewStyle().Faint(true)
)

// indent begins the lines of an entry after the first.
const indent = "    "

// help is the text of /help.
const help = `/help       this text
Enter       sends the question; during an answer it stays here
Alt-Enter   begins a new line, as Ctrl-J does; a paste may have several
Up, Down    show the questions before and after
Ctrl-C      aborts the answer, then leaves`

// print returns a command that prints above the view.
func (m *model) print(style lipgloss.Style, who, text string) tea.Cmd {
	return tea.Println(m.entry(style, who, text))
}

// printMarkdown returns a command that prints an answer above the view.
func (m *model) printMarkdown(who, text string) tea.Cmd {
	var once painter
	return tea.Println(m.markdown(&once, who, text))
}

// markdown formats a name and a text in Markdown. The lines of the text after
// the first are indented.
func (m *model) markdown(p *painter, who, text string) string {
	width := max(10, m.width-len(indent))
	painted := p.paint(clean(text), width, m.light)
	separator := ": "
	first, _, more := strings.Cut(painted, "\n")
	if len(who)+len(separator)+ansi.StringWidth(first) > m.width || more && len(who)+len(separator) != len(indent) {
		separator = ":\n" + indent
	}
	return machine.Render(who) + separator + strings.ReplaceAll(painted, "\n", "\n"+indent)
}

// entry formats a name and a text, wrapped to the width of the terminal.
func (m *model) entry(style lipgloss.Style, who, text string) string {
	entry := style.Render(clean(who))
	if text == "" {
		return ansi.Wrap(entry, max(1, m.width), "")
	}
	entry = ansi.Wrap(entry+": "+clean(text), max(1, m.width-len(indent)), "")
	return strings.ReplaceAll(entry, "\n", "\n"+indent)
}

// View returns the answer in progress, the status and the input.
func (m *model) View() tea.View {
	if m.left {
		return tea.NewView("")
	}
	var lines []string
	if m.answer != nil && m.answer.stream != nil {
		if text := m.answer.stream.Progress().Text; text != "" {
			lines = strings.Split(m.markdown(&m.painter, "ai", text), "\n")
			// Show the end of the answer if the terminal is too small.
			lines = lines[max(0, len(lines)-max(1, m.height-1-m.input.Height())):]
		}
	}
	lines = append(lines, status.Render(ansi.Truncate(m.status(), max(1, m.width), "…")), m.input.View())
	return tea.NewView(strings.Join(lines, "\n"))
}

// status returns the state of the connection, the number of users online and
// the effect of Ctrl-C, in one line.
func (m *model) status() string {
	parts := []string{clean(m.state.String())}
	if m.state.Phase == conn.Ready {
		parts[0] = fmt.Sprintf("ready · %s as %s · online: %d", clean(m.chat), clean(m.user.String()), m.online)
	}
	switch {
	case m.answer == nil:
		parts = append(parts, "Ctrl-C leaves")
	case m.answer.aborted:
		parts = append(parts, "aborting", "Ctrl-C leaves")
	default:
		parts = append(parts, m.answer.status(), "Ctrl-C aborts")
	}
	return strings.Join(parts, " · ")
}

// status returns the progress of the answer.
func (a *answer) status() string {
	if a.stream == nil {
		return "asking"
	}
	progress := a.stream.Progress()
	switch {
	case progress.Tokens > 0:
		return fmt.Sprintf("answering, %d tokens", progress.Tokens)
	case progress.Status.Status != "":
		return clean(string(progress.Status.Status))
	}
	return string(events.StatusQueued)
}

// clean replaces control characters except line feeds, so that a server cannot
// control the terminal. A tab becomes four spaces.
func clean(s string) string {
	s = strings.ReplaceAll(s, "\t", "    ")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n':
			return r
		case unicode.IsControl(r):
			return unicode.ReplacementChar
		}
		return r
	}, s)
}
