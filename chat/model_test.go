package chat

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/seed67206a74/parley/events"
)

// A model computes the expected result of each stream of a conversation. It
// keeps sets and times, and computes all results again at every step.
type model struct {
	plan      plan
	now       time.Time
	connected bool
	entering  bool      // the connection is about to be Ready
	since     time.Time // when the connection was lost, or was Ready again
	questions []*modelled

	// A question was abandoned, and the backend leaves request ids out: later
	// events may be for either question. Then the model does not predict the
	// error of a stream, only that it ends, and that it gets only its own
	// tokens.
	vague bool
}

// modelled is a question and its answer.
type modelled struct {
	open, ended bool
	vague       bool
	named       bool // the backend has used its request id
	explicit    bool // Client.Abort has named it

	asked, last time.Time // when it was asked, and the last event of its answer
	begun       bool
	got         map[int]bool // the tokens that are held
	dropped     bool         // early ones were dropped
	final       bool
	lost        bool // a session was lost and not resumed
	gapOf       int  // the first missing index, -1 for none
	gapSince    time.Time
	overdue     int
	straggles   bool // abandoned just now, with no other event since
	gaveUp      time.Time

	err     error
	bridged bool
	abort   bool // one is due
	perhaps bool // or may just be in time
}

func newModel(p plan, now time.Time) *model {
	m := &model{plan: p, now: now, connected: true, since: now}
	for range p.named {
		m.questions = append(m.questions, &modelled{got: map[int]bool{}, gapOf: -1, overdue: -1})
	}
	return m
}

func (m *model) ask(q int) {
	x := m.questions[q]
	x.open, x.asked, x.last, x.vague = true, m.now, m.now, m.vague
}

func (m *model) abort(q int, err error) {
	if m.questions[q].open {
		m.giveUp(m.questions[q], err)
	}
}

func (m *model) cut() { m.connected, m.since = false, m.now }

func (m *model) connect(recovered bool) {
	m.connected, m.entering, m.since = true, false, m.now
	for _, x := range m.questions {
		x.lost = x.lost || x.open && !recovered
	}
}

// silent reports whether a backend without request ids sends no more events for
// a question, because its stream has ended. Events that were sent before the
// end of the stream may still arrive right after it, before any other event.
func (m *model) silent(q int, next item, s *Stream) bool {
	x := m.questions[q]
	progress := s.Progress()
	straggles := x.straggles && !x.vague && m.now.Equal(x.gaveUp) && next >= 0 && (next > 0 || progress.Tokens == 0)
	return !m.plan.named[q] && progress.Ended && !straggles
}

// item plays an event of the answer to q.
func (m *model) item(q int, i item) {
	for other, x := range m.questions {
		x.straggles = x.straggles && other == q
	}
	if m.plan.named[q] {
		if x := m.questions[q]; x.open {
			x.named = true
			m.take(q, i)
		}
		return
	}
	var candidates []int
	for other, x := range m.questions {
		if x.open && !x.named {
			candidates = append(candidates, other)
		}
	}
	if len(candidates) == 1 && candidates[0] == q && !m.vague {
		if m.conflicts(q, i) {
			m.giveUp(m.questions[q], ErrAmbiguous)
			return
		}
		m.take(q, i)
	} else if len(candidates) > 1 && i != status {
		for _, other := range candidates {
			m.giveUp(m.questions[other], ErrAmbiguous)
		}
	}
}

// conflicts reports whether an event without request id does not continue the
// answer to q.
func (m *model) conflicts(q int, i item) bool {
	x := m.questions[q]
	k := m.whole(x)
	switch {
	case i == whole:
		return !strings.HasPrefix(m.plan.texts[q], strings.TrimSpace(textOf(q, k)))
	case i < 0 || x.got[int(i)]:
		return false
	}
	return int(i) != k && !(int(i) > k && k > 0 && x.lost)
}

// take plays an event that belongs to the stream of q.
func (m *model) take(q int, i item) {
	x := m.questions[q]
	x.last = m.now
	switch {
	case i == status:
		return
	case i == failed:
		m.end(x, &events.AIError{Message: fmt.Sprint("of ", q)})
		return
	case i == whole:
		x.final = true
	case int(i) <= m.whole(x) || !x.dropped:
		x.got[int(i)] = true
	}
	x.begun = true
	m.evaluate(q)
}

// whole returns the number of tokens in order.
func (m *model) whole(x *modelled) (n int) {
	for x.got[n] {
		n++
	}
	return n
}

func (m *model) evaluate(q int) {
	x := m.questions[q]
	k := m.whole(x)
	gap := GapError{From: k, To: k}
	early := 0
	for i := 5; i > k; i-- {
		if x.got[i] {
			early++
			gap.To = i
		}
	}
	bufferFull := x.dropped || early > modelLimits.ReorderLimit
	if early == 0 && !x.dropped {
		x.gapOf = -1
	} else if x.gapOf != k {
		x.gapOf, x.gapSince = k, m.now
	}
	missing := x.gapOf >= 0
	late := missing && (x.overdue == k || bufferFull)
	continued := strings.HasPrefix(m.plan.texts[q], textOf(q, k))
	truncated := x.lost && continued && k < 6
	switch {
	case !x.final && late && m.plan.onGap == FailOnGap:
		m.giveUp(x, &gap)
	case !x.final && bufferFull:
		x.dropped = true
		for i := k; i < 6; i++ {
			delete(x.got, i)
		}
	case !x.final, missing && !late:
	case !missing && !truncated:
		m.end(x, nil)
	case (m.plan.onGap == FillGap || !missing && k == 0) && continued:
		x.bridged = true
		m.end(x, nil)
	default:
		m.end(x, &gap)
	}
}

// giveUp ends a stream on the client's side.
func (m *model) giveUp(x *modelled, err error) {
	x.abort, x.straggles, x.gaveUp = m.connected, true, m.now
	x.perhaps = m.entering
	m.end(x, err)
	if !x.named && slices.Contains(m.plan.named, false) {
		m.vague = true
		for _, other := range m.questions {
			other.vague = other.vague || other.open && !other.named
		}
	}
}

func (m *model) end(x *modelled, err error) { x.open, x.ended, x.err = false, true, err }

// until applies all limits that run out before t.
func (m *model) until(t time.Time) {
	for {
		var due time.Time
		var run func()
		for q, x := range m.questions {
			at := func(when time.Time, what func()) {
				if x.open && when.Before(t) && (run == nil || when.Before(due)) {
					due, run = when, what
				}
			}
			if !x.begun {
				at(x.asked.Add(modelLimits.FirstTokenTimeout), func() { m.giveUp(x, ErrNoToken) })
			}
			if m.connected {
				at(latest(x.last, m.since).Add(modelLimits.IdleTimeout), func() { m.giveUp(x, ErrStalled) })
			} else {
				at(m.since.Add(modelLimits.OfflineTimeout), func() { m.giveUp(x, ErrOffline) })
			}
			if x.gapOf >= 0 && x.overdue != x.gapOf && !x.dropped {
				at(x.gapSince.Add(modelLimits.GapTimeout), func() { x.overdue = x.gapOf; m.evaluate(q) })
			}
		}
		if run == nil {
			m.now = t
			return
		}
		m.now = due
		run()
	}
}

// check returns the errors in the result of a stream.
func (m *model) check(q int, s *Stream, err error, aborts []string) (wrong []string) {
	x := m.questions[q]
	is := func(ok bool, format string, args ...any) {
		if !ok {
			wrong = append(wrong, fmt.Sprintf("question %d: ", q)+fmt.Sprintf(format, args...))
		}
	}
	tokens, text := 0, ""
	bridged := false
	for token := range s.Tokens() {
		own := token.Token == strings.TrimPrefix(textOf(q, tokens+1), textOf(q, tokens))
		if !own || tokens == 6 { // only the rest of the final text is allowed there
			is(err == nil && !bridged && text+token.Token == m.plan.texts[q], "token %q at %d", token.Token, tokens)
			bridged = true
		}
		is(token.Index == tokens, "index %d at %d", token.Index, tokens)
		text += token.Token
		tokens++
	}
	if err == nil {
		is(s.message.Text == m.plan.texts[q], "message %q", s.message.Text)
	}
	if x.vague {
		return wrong
	}
	is(x.ended, "the model has not ended, with %v", err)
	is(sameError(err, x.err), "error %v, and not %v", err, x.err)
	if want := m.whole(x); x.bridged {
		is(strings.HasPrefix(m.plan.texts[q], text) && len(text) == len(m.plan.texts[q]), "bridged to %q", text)
		is(tokens == want || tokens == want+1, "%d tokens, and not %d and a bridge", tokens, want)
	} else {
		is(tokens == want && !bridged, "%d tokens, and not %d", tokens, want)
	}
	aborted := slices.ContainsFunc(aborts, func(frame string) bool { return strings.Contains(frame, requestOf(q)) })
	is(aborted == (x.abort || x.explicit) || x.perhaps, "aborted: %v", aborted)
	return wrong
}

func sameError(got, want error) bool {
	switch want := want.(type) {
	case nil:
		return got == nil
	case *GapError:
		return reflect.DeepEqual(got, error(want))
	case *events.AIError:
		var failure *events.AIError
		return errors.As(got, &failure) && failure.Message == want.Message
	}
	return errors.Is(got, want)
}
