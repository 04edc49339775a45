package chat

import (
	"strings"

	"github.com/seed67206a74/parley/events"
)

// conflicts reports whether an event without requestId shows that it belongs to
// another answer than the events before it. mu is held.
//
// The backend sends the tokens of an answer in turn. A repeated token is no
// conflict if its text is the same. After a lost session, the next tokens may
// be missing; that the answer continues is then shown by the tokens before.
func (s *Stream) conflicts(event events.Event) bool {
	if event.Envelope().RequestID != "" {
		return false
	}
	a := &s.answer
	switch event := event.(type) {
	case events.AIToken:
		index := a.position(event.Index)
		if index < 0 {
			return false // it does not fit the scheme, which ends the stream as well
		}
		if held, ok := a.at(index); ok {
			return held != event.Token
		}
		inTurn := index == a.next() || index > a.next() && a.next() > 0 && s.lost()
		return !inTurn || s.final != nil && index == a.next() && !continues(s.final.Text, a.text.String()+event.Token)
	case events.AIMessage:
		return s.final != nil && s.final.Text != event.Text || !continues(event.Text, a.text.String())
	}
	return false
}

// continues reports whether a final text begins with the text of the tokens.
// White space at the beginning and the end does not count, because some
// backends trim the final text.
func continues(final, tokens string) bool {
	return strings.HasPrefix(strings.TrimSpace(final), strings.TrimSpace(tokens))
}

// at returns the text of the token with an index, if it has arrived.
func (a *assembly) at(index int) (text string, ok bool) {
	if index >= 0 && index < a.next() {
		return a.tokens.held(index).text, true
	}
	t, ok := a.early[index]
	return t.Token, ok
}
