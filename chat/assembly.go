package chat

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"

	"github.com/seed67206a74/parley/events"
)

// Limits of a stream: the number of tokens, the same number of other events,
// and the bytes of all of them. A longer answer ends the stream with
// ErrTooLong.
const (
	maxTokens = 1 << 16
	maxBytes  = 16 << 20
)

// An assembly puts the tokens of one answer in order, each once. It buffers
// early tokens until the tokens before them have arrived.
type assembly struct {
	limit  int // of early tokens; negative for no limit
	scheme IndexScheme
	shift  int // of IndexRestarts: from a token's index to its position

	tokens tokenList              // in order
	text   strings.Builder        // of tokens
	next   int                    // the index of the next token
	early  map[int]events.AIToken // out-of-order tokens, by index
	first  int                    // the lowest index of early, if it is not empty
	end    int                    // the position after the last token that has arrived
	others []placed               // all events that are not tokens
	bytes  int                    // of tokens, early and others
	status events.AIProcessing    // the last one

	dropped bool  // early tokens were dropped: only the final text can fill the gap
	tooLong bool  // an event was over the limits and dropped
	misfit  error // an ErrIndex: the indices do not fit the scheme
}

// placed is an event and the number of tokens before it.
type placed struct {
	after int
	event events.Event
}

// add stores a token under its position as index, unless it is a repeated one.
func (a *assembly) add(t events.AIToken) {
	sent := t.Index
	t.Index = a.position(sent)
	held, again := a.at(t.Index)
	switch {
	case t.Index < 0 && sent < 0:
		a.misfit = fmt.Errorf("%w: a token has no index", ErrIndex)
		return
	case t.Index < 0:
		a.misfit = fmt.Errorf("%w: a token has the index %d", ErrIndex, sent)
		return
	case again && t.Index < a.next && held != t.Token:
		a.misfit = fmt.Errorf("%w: two tokens have the index %d", ErrIndex, sent)
		return
	case again || t.Index < a.next:
		return
	}
	a.end = max(a.end, t.Index+1)
	if a.tokens.len+len(a.early) >= maxTokens || !a.hold(t.Envelope(), len(t.Token), t.Extra) {
		a.tooLong = true
		return
	}
	if t.Index > a.next {
		if a.early == nil {
			a.early = map[int]events.AIToken{}
		}
		if len(a.early) == 0 || t.Index < a.first {
			a.first = t.Index
		}
		a.early[t.Index] = t
		return
	}
	a.append(t)
	if len(a.early) > 0 && a.first == a.next {
		a.catchUp()
	}
}

// position returns the position of a token in the answer, from 0. It is
// negative if the index does not fit the scheme.
func (a *assembly) position(index int) int {
	switch a.scheme {
	case IndexNone:
		return a.end
	case IndexFromOne:
		return index - 1
	case IndexRestarts:
		if index >= 0 && (a.end == 0 || index+a.shift < a.next) {
			a.shift = a.end - index
		}
		return index + a.shift
	default:
		return index
	}
}

// countsFromOne reports whether all tokens of a finished answer have arrived,
// and the first has the index 1.
func (a *assembly) countsFromOne(final string) bool {
	if a.scheme != IndexFromZero || a.next > 0 || len(a.early) == 0 {
		return false
	}
	for i := range len(a.early) {
		t, ok := a.early[i+1]
		if !ok || !strings.HasPrefix(final, t.Token) {
			return false
		}
		final = final[len(t.Token):]
	}
	return final == ""
}

// catchUp appends the early tokens that are next in order.
func (a *assembly) catchUp() {
	for t, ok := a.early[a.next]; ok; t, ok = a.early[a.next] {
		delete(a.early, a.next)
		a.append(t)
	}
	a.first = math.MaxInt
	for index := range a.early {
		a.first = min(a.first, index)
	}
}

func (a *assembly) append(t events.AIToken) {
	a.tokens.append(t)
	a.text.WriteString(t.Token)
	a.next = t.Index + 1
}

// note stores an event that is not a token.
func (a *assembly) note(event events.Event) {
	size, extra := 0, map[string]json.RawMessage(nil)
	switch event := event.(type) {
	case events.AIProcessing:
		a.status = event
		size, extra = len(event.Status)+len(event.Reason), event.Extra
	case events.AIToolCall:
		size, extra = len(event.CallID)+len(event.ToolName)+len(event.Args), event.Extra
	case events.AIToolResult:
		size, extra = len(event.CallID)+len(event.ToolName)+len(event.Result), event.Extra
	}
	if len(a.others) >= maxTokens || !a.hold(event.Envelope(), size, extra) {
		a.tooLong = true
		return
	}
	a.others = append(a.others, placed{a.tokens.len, event})
}

// hold adds the size of an event to bytes, and reports whether there is room
// for it.
func (a *assembly) hold(e events.Envelope, size int, extra map[string]json.RawMessage) bool {
	size += len(e.RequestID) + len(e.TraceID) + len(e.ChatID.String())
	for name, value := range extra {
		size += len(name) + len(value)
	}
	if a.bytes+size > maxBytes {
		return false
	}
	a.bytes += size
	return true
}

// gap returns the range of tokens that are missing before the early tokens,
// also if these were dropped. It returns nil if there is no gap.
func (a *assembly) gap() *GapError {
	if len(a.early) == 0 {
		if a.dropped {
			return &GapError{From: a.next, To: a.next}
		}
		return nil
	}
	return &GapError{From: a.next, To: a.first}
}

// bufferFull reports whether more early tokens have arrived than the limit.
func (a *assembly) bufferFull() bool { return a.dropped || a.limit >= 0 && len(a.early) > a.limit }

// drop drops the early tokens, which the final text will replace.
func (a *assembly) drop() {
	a.early, a.dropped = nil, true
}

// fill appends the rest of the final text as one token in place of the missing
// ones. It reports whether the text continues the tokens that have arrived.
func (a *assembly) fill(m events.AIMessage) bool {
	rest, ok := strings.CutPrefix(m.Text, a.text.String())
	if !ok {
		return false
	}
	a.early = nil
	if rest != "" {
		a.append(events.AIToken{ChatID: m.ChatID, TraceID: m.TraceID, RequestID: m.RequestID, Token: rest, Index: a.next})
	}
	return true
}
