package chaos

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
)

// A workload is the work of the clients in a round. It ends when enough is
// closed; each worker finishes its last question or message.
type workload struct {
	ctx        context.Context
	enough     chan struct{}
	recovering bool

	mu        sync.Mutex
	faults    []string
	answered  int
	bridged   int            // answers with their rest in one token
	failed    map[string]int // streams that ended with an error, by its text
	delivered int
}

func (w *workload) more() bool {
	select {
	case <-w.enough:
		return false
	case <-w.ctx.Done():
		return false
	default:
		return true
	}
}

func (w *workload) fault(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faults = append(w.faults, fmt.Sprintf(format, args...))
}

// ask asks one question after the other.
func (w *workload) ask(p *peer, worker string) {
	for n := 0; w.more(); n++ {
		q := chat.Question{
			UserID:    user,
			Text:      "30 3",
			RequestID: fmt.Sprintf("%s-%s-%d", p.room, worker, n),
			MessageID: fmt.Sprintf("question-%s-%s-%d", p.room, worker, n),
		}
		for w.ctx.Err() == nil && !w.answer(p, q) {
		}
	}
}

// answer asks a question once, and reports whether it needs no repetition.
func (w *workload) answer(p *peer, q chat.Question) bool {
	lost := p.wire.lost()
	before, _ := p.states.count()
	p.history.add("ask %s", q.RequestID)
	stream, err := p.ask(w.ctx, q)
	var tokens []events.AIToken
	var message events.AIMessage
	if err == nil {
		for token := range stream.Tokens() {
			tokens = append(tokens, token)
		}
		message, err = stream.Wait()
	}
	p.history.add("%s: %d tokens, %v", q.RequestID, len(tokens), err)
	if w.ctx.Err() != nil {
		w.fault("%s: out of time", q.RequestID)
		return true
	}
	record, failed := readRecord(w.ctx, p.control, p.room)
	if failed != nil {
		w.fault("the server's record cannot be read: %v", failed)
		return true
	}
	server := record.Answers[q.RequestID]
	if err != nil {
		w.mu.Lock()
		w.failed[kindOf(err)]++
		w.mu.Unlock()
		after, _ := p.states.count()
		if why := w.unexpected(err, server, after > before); why != "" {
			w.fault("%s ended with %v, but %s", q.RequestID, err, why)
		}
		return !w.recovering // with recovery, the question must be answered finally
	}
	bridged, why := compare(tokens, message, server.Tokens)
	if bridged && p.wire.lost() == lost {
		why = "its rest came as one token, although each session was recovered"
	}
	if why != "" {
		w.fault("%s: %s", q.RequestID, why)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answered++
	if bridged {
		w.bridged++
	}
	return true
}

// unexpected returns the reason why a stream must not end with err, or "" if it
// may. troubled reports whether the connection was lost meanwhile.
func (w *workload) unexpected(err error, server serverAnswer, troubled bool) string {
	var unsent *conn.SendError
	var gap *chat.GapError
	switch {
	case errors.As(err, &unsent) && errors.Is(err, conn.ErrSessionLost):
		return ""
	case (errors.Is(err, chat.ErrNoToken) || errors.Is(err, chat.ErrStalled)) && !server.Done:
		return "" // the question was lost, an earlier abort was late, or the server is slow
	case errors.Is(err, chat.ErrNoToken):
		if server.Aborted > 0 || troubled {
			return ""
		}
		return "its question has arrived"
	case w.recovering:
		return "its session was recovered, or its answer resumed"
	case errors.Is(err, chat.ErrStalled), errors.Is(err, chat.ErrOffline), errors.As(err, &gap):
		return ""
	}
	return "that is not an error of a stream"
}

// kindOf groups errors for the summary.
func kindOf(err error) string {
	for _, kind := range []error{chat.ErrNoToken, chat.ErrStalled, chat.ErrOffline, conn.ErrSessionLost} {
		if errors.Is(err, kind) {
			return kind.Error()
		}
	}
	return fmt.Sprintf("%T", err)
}

// compare returns the first difference between an answer and the tokens of the
// server, or "". bridged reports whether the last token is the rest of the
// text.
func compare(tokens []events.AIToken, message events.AIMessage, want []string) (bridged bool, fault string) {
	if whole := strings.Join(want, ""); message.Text != whole {
		return false, fmt.Sprintf("the final text is %q, not %q", message.Text, whole)
	}
	for i, token := range tokens {
		rest := i < len(want) && i == len(tokens)-1 && token.Token == strings.Join(want[i:], "")
		switch {
		case token.Index != i:
			return false, fmt.Sprintf("token %d has index %d", i, token.Index)
		case rest:
			bridged = len(tokens) < len(want)
		case i >= len(want) || token.Token != want[i]:
			return false, fmt.Sprintf("token %d is %q", i, token.Token)
		}
	}
	if len(tokens) < len(want) && !bridged {
		return false, fmt.Sprintf("%d of %d tokens", len(tokens), len(want))
	}
	return bridged, ""
}

// deliver delivers one message after the other, and returns their ids.
func (w *workload) deliver(p *peer, worker string) (ids []string) {
	for n := 0; w.more(); n++ {
		m := events.UserMessage{MessageID: fmt.Sprintf("%s-%s-%d", p.room, worker, n), UserID: user, Text: "1 0"}
		reply, err := p.client.Deliver(w.ctx, m)
		if want := fmt.Sprintf(`{"messageId":%q}`, m.MessageID); err != nil || string(reply) != want {
			w.fault("delivery of %s: %s, %v", m.MessageID, reply, err)
			return ids
		}
		ids = append(ids, m.MessageID)
		w.mu.Lock()
		w.delivered++
		w.mu.Unlock()
	}
	return ids
}
