package chat

import (
	"container/heap"
	"fmt"
	"strings"

	"github.com/seed67206a74/parley/events"
)

// Limits of a stream: the number of tokens, the same number of other events,
// and the memory of all of them in bytes. A longer answer ends the stream with
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
	early  map[int]events.AIToken // out-of-order tokens, by index
	order  indexHeap              // the indices of early
	end    int                    // the position after the last token that has arrived
	others []placed               // all events that are not tokens
	bytes  int                    // the memory of tokens, early and others
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
func (a *assembly) add(t *events.AIToken) {
	index := a.position(t.Index)
	held, again := a.at(index)
	switch {
	case index < 0 && t.Index < 0:
		a.misfit = fmt.Errorf("%w: a token has no index", ErrIndex)
		return
	case index < 0:
		a.misfit = fmt.Errorf("%w: a token has the index %d", ErrIndex, t.Index)
		return
	case again && index < a.next() && held != t.Token:
		a.misfit = fmt.Errorf("%w: two tokens have the index %d", ErrIndex, t.Index)
		return
	case again:
		return
	}
	a.end = max(a.end, index+1)
	if a.tokens.len+len(a.early) >= maxTokens || !a.hold(tokenMemory(t)) {
		a.tooLong = true
		return
	}
	if index > a.next() {
		if a.early == nil {
			a.early = map[int]events.AIToken{}
		}
		a.early[index] = *t
		heap.Push(&a.order, index)
		return
	}
	a.append(t)
	a.catchUp()
}

// next returns the index of the next token.
func (a *assembly) next() int { return a.tokens.len }

// position returns the position of a token in the answer, from 0. It is
// negative if the index does not fit the scheme. Under IndexRestarts, an index
// lower than the next one begins a new part.
func (a *assembly) position(index int) int {
	switch a.scheme {
	case IndexNone:
		return a.end
	case IndexFromOne:
		return index - 1
	case IndexRestarts:
		if index >= 0 && (a.end == 0 || index+a.shift < a.next()) {
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
	if a.scheme != IndexFromZero || a.next() > 0 || len(a.early) == 0 {
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
	for len(a.order) > 0 && a.order[0] == a.next() {
		t := a.early[a.next()]
		delete(a.early, a.next())
		heap.Pop(&a.order)
		a.append(&t)
	}
}

// An indexHeap implements heap.Interface.
type indexHeap []int

func (h indexHeap) Len() int           { return len(h) }
func (h indexHeap) Less(i, j int) bool { return h[i] < h[j] }
func (h indexHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *indexHeap) Push(index any)    { *h = append(*h, index.(int)) }

func (h *indexHeap) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

func (a *assembly) append(t *events.AIToken) {
	a.tokens.append(t)
	a.text.WriteString(t.Token)
}

// note stores an event that is not a token.
func (a *assembly) note(event events.Event) {
	size := 0
	switch event := event.(type) {
	case events.AIProcessing:
		a.status = event
		size = memory(event.Envelope(), len(event.Status)+len(event.Reason), event.Extra)
	case events.AIToolCall:
		size = toolCallMemory(event)
	case events.AIToolResult:
		size = memory(event.Envelope(), len(event.CallID)+len(event.ToolName)+len(event.Result), event.Extra)
	}
	if len(a.others) >= maxTokens || !a.hold(size) {
		a.tooLong = true
		return
	}
	a.others = append(a.others, placed{a.tokens.len, event})
}

// hold adds the memory of an event to bytes, and reports whether there is room
// for it.
func (a *assembly) hold(size int) bool {
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
			return &GapError{From: a.next(), To: a.next()}
		}
		return nil
	}
	return &GapError{From: a.next(), To: a.order[0]}
}

// bufferFull reports whether more early tokens have arrived than the limit.
func (a *assembly) bufferFull() bool { return a.dropped || a.limit >= 0 && len(a.early) > a.limit }

// drop drops the early tokens, which the final text will replace.
func (a *assembly) drop() {
	a.early, a.order, a.dropped = nil, nil, true
}

// fill appends the rest of the final text as one token in place of the missing
// ones. It reports whether the text continues the tokens that have arrived.
func (a *assembly) fill(m events.AIMessage) bool {
	rest, ok := strings.CutPrefix(m.Text, a.text.String())
	if !ok {
		return false
	}
	a.early, a.order = nil, nil
	if rest != "" {
		a.append(&events.AIToken{ChatID: m.ChatID, TraceID: m.TraceID, RequestID: m.RequestID, Token: rest})
	}
	return true
}
