package main

import (
	"slices"

	"charm.land/bubbles/v2/key"
	"charm.land/bubbles/v2/textarea"
	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"
)

const (
	maxInputRows = 6
	maxHistory   = 200 // texts
)

// An input is the field for the next question, of one or several lines. It
// keeps the sent texts.
type input struct {
	textarea.Model
	sent  []string // the oldest first
	at    int      // index in sent; len(sent) for the draft
	draft string   // the text that was not sent, while another one is shown
}

func newInput() input {
	area := textarea.New()
	area.Prompt = "> "
	area.Placeholder = "Say something, or /help"
	area.ShowLineNumbers = false
	area.EndOfBufferCharacter = ' '
	area.DynamicHeight, area.MinHeight, area.MaxHeight = true, 1, maxInputRows
	area.MaxContentHeight = 10_000
	area.CharLimit = 64 << 10
	area.KeyMap.InsertNewline = key.NewBinding(key.WithKeys("alt+enter", "shift+enter", "ctrl+j"))
	styles := area.Styles()
	styles.Focused.CursorLine = lipgloss.NewStyle()
	area.SetStyles(styles)
	area.Focus()
	return input{Model: area}
}

// take empties the input, and keeps its text in the history.
func (i *input) take() {
	text := i.Value()
	i.sent = append(slices.DeleteFunc(i.sent, func(old string) bool { return old == text }), text)
	i.sent = i.sent[max(0, len(i.sent)-maxHistory):]
	i.at, i.draft = len(i.sent), ""
	i.Reset()
}

// edit handles a key or a paste. In the first row Up shows the text before, and
// in the last row Down the text after.
func (i *input) edit(message tea.Msg) tea.Cmd {
	if pressed, ok := message.(tea.KeyPressMsg); ok {
		switch row := i.LineInfo(); {
		case pressed.String() == "up" && i.Line() == 0 && row.RowOffset == 0:
			i.show(i.at - 1)
			return nil
		case pressed.String() == "down" && i.Line() == i.LineCount()-1 && row.RowOffset >= row.Height-1:
			i.show(i.at + 1)
			return nil
		}
	}
	var cmd tea.Cmd
	i.Model, cmd = i.Model.Update(message)
	return cmd
}

// show shows a text of the history, or the draft.
func (i *input) show(at int) {
	if at < 0 || at > len(i.sent) {
		return
	}
	if i.at == len(i.sent) {
		i.draft = i.Value()
	}
	i.at = at
	if at == len(i.sent) {
		i.SetValue(i.draft)
		return
	}
	i.SetValue(i.sent[at])
}
