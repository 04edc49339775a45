package chat

import (
	"cmp"

	"github.com/seed67206a74/parley/events"
)

// A tokenList is a list of the tokens 0, 1, 2… of an answer, and only grows. It
// grows by chunks, so no token is copied, and a copy of the list can be read
// while the list grows. The zero value is empty.
type tokenList struct {
	first  *events.AIToken // nil if the list is empty
	chunks []*[chunkTokens]heldToken
	len    int
}

// chunkTokens is the number of tokens in a chunk of a tokenList.
const chunkTokens = 64

// A heldToken has a token's text. The other fields are those of the first
// token, except for the index, unless other has the whole token.
type heldToken struct {
	text  string
	other *events.AIToken
}

// append appends a token. Its index becomes that in the list.
func (l *tokenList) append(t *events.AIToken) {
	held := heldToken{text: t.Token}
	switch f := l.first; {
	case f == nil:
		l.first = new(*t)
	case t.Envelope() != f.Envelope() || t.Done != f.Done || t.Extra != nil || f.Extra != nil:
		held.other = new(*t)
	}
	if l.len == chunkTokens*len(l.chunks) {
		l.chunks = append(l.chunks, new([chunkTokens]heldToken))
	}
	*l.held(l.len) = held
	l.len++
}

func (l *tokenList) held(i int) *heldToken { return &l.chunks[i/chunkTokens][i%chunkTokens] }

// at returns the token at index i.
func (l *tokenList) at(i int) events.AIToken {
	held := l.held(i)
	t := *cmp.Or(held.other, l.first)
	t.Token, t.Index = held.text, i
	return t
}
