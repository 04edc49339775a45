package chat

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/seed67206a74/parley/reconnect"
	"pgregory.net/rapid"
)

// TestStream_matchesModelInRandomConversations plays random conversations to a
// client: several questions at once, whose events arrive reordered, twice or
// not at all. Connections are cut and return, resumed or not. Streams are
// aborted, and timeouts pass. A model, independent of the code of streams,
// computes the result and the tokens of each stream.
//
// The clock is that of a bubble, and all random values are drawn beforehand: a
// seed that fails once always fails. To run more conversations:
//
//	go test ./chat -run Model -rapid.checks=20000
func TestStream_matchesModelInRandomConversations(t *testing.T) {
	for _, naming := range []string{"every answer carries its request id", "none does", "some do"} {
		t.Run(naming, func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				p := drawPlan(rt, naming)
				rt.Log(p)
				var wrong []string
				synctest.Test(t, func(t *testing.T) { wrong = play(t, p) })
				if len(wrong) > 0 {
					rt.Fatal(strings.Join(wrong, "\n"))
				}
			})
		})
	}
}

// No two of the limits run out at the same time.
var modelLimits = StreamConfig{
	FirstTokenTimeout: 10*time.Second + 7*time.Millisecond,
	LostTimeout:       -1,
	IdleTimeout:       7*time.Second + 3*time.Millisecond,
	OfflineTimeout:    5*time.Second + 1*time.Millisecond,
	GapTimeout:        2*time.Second + 500*time.Microsecond,
	ReorderLimit:      2,
}

// A plan has all random values of a conversation.
type plan struct {
	onGap GapPolicy
	named []bool   // for each question, whether its answer carries the request id
	items [][]item // for each question, the events of its answer, in the order of arrival
	texts []string // for each question, the final text
	steps []step
}

// An item is one event of an answer: a token by its index, or one of these.
type item int

const (
	status item = -1 - iota
	whole
	failed
)

// A step is one thing that happens.
type step struct {
	what  string
	q     int
	delay time.Duration
	yes   bool
}

func (p plan) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "onGap %d, named %v, items %v, texts %q\n", p.onGap, p.named, p.items, p.texts)
	for _, s := range p.steps {
		fmt.Fprintf(&b, "%s of %d, %v, %v\n", s.what, s.q, s.delay, s.yes)
	}
	return b.String()
}

func drawPlan(t *rapid.T, naming string) plan {
	p := plan{onGap: rapid.SampledFrom([]GapPolicy{FillGap, FailOnGap}).Draw(t, "onGap")}
	for q := range rapid.IntRange(1, 4).Draw(t, "questions") {
		p.named = append(p.named, naming == "every answer carries its request id" || naming == "some do" && rapid.Bool().Draw(t, "named"))
		p.items = append(p.items, drawItems(t, p.named[q]))
		p.texts = append(p.texts, rapid.SampledFrom([]string{textOf(q, 6), textOf(q, 6), "something else"}).Draw(t, "text"))
	}
	kinds := []string{"ask", "ask", "item", "item", "item", "item", "item", "item", "item", "item", "item", "item",
		"wait", "wait", "cut", "abort", "client abort", "cancel"}
	for range rapid.IntRange(0, 60).Draw(t, "steps") {
		p.steps = append(p.steps, step{
			what:  rapid.SampledFrom(kinds).Draw(t, "what"),
			q:     rapid.IntRange(0, len(p.named)-1).Draw(t, "q"),
			delay: time.Duration(rapid.IntRange(0, 40).Draw(t, "delay")) * 100 * time.Millisecond,
			yes:   rapid.Bool().Draw(t, "yes"),
		})
	}
	return p
}

// drawItems draws six tokens and an end, some twice, some not at all, and
// slightly out of order. An answer without request id has no events after its
// end, because they could belong to any question.
func drawItems(t *rapid.T, named bool) []item {
	type placed struct {
		item
		place int
	}
	var all []placed
	add := func(i item, place int) {
		copies := rapid.SampledFrom([]int{1, 1, 1, 1, 1, 1, 0, 2}).Draw(t, "copies")
		late := []int{0, 0, 0, 0, 2, 5}
		if !named {
			late = []int{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2} // which ends the stream
		}
		for range copies {
			all = append(all, placed{i, place + rapid.SampledFrom(late).Draw(t, "late")})
		}
	}
	add(status, rapid.IntRange(0, 6).Draw(t, "status"))
	for i := range 6 {
		add(item(i), i)
	}
	end := rapid.SampledFrom([]item{whole, whole, whole, failed, status}).Draw(t, "end")
	if named {
		add(end, 6)
	} else {
		all = append(all, placed{end, 100})
	}
	slices.SortStableFunc(all, func(a, b placed) int { return cmp.Compare(a.place, b.place) })
	var items []item
	for _, i := range all {
		items = append(items, i.item)
	}
	return items
}

// textOf returns the text of a question's first n tokens.
func textOf(q, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%c%d ", 'a'+q, i)
	}
	return b.String()
}

// frame returns an item as a frame of the wire.
func (p plan) frame(q int, i item) string {
	id := ""
	if p.named[q] {
		id = requestOf(q)
	}
	switch i {
	case status:
		return fmt.Sprintf(`42["ai:processing",{"requestId":%q,"status":"working"},"offset"]`, id)
	case whole:
		return finalFrame(id, p.texts[q])
	case failed:
		return fmt.Sprintf(`42["ai:error",{"requestId":%q,"message":"of %d"},"offset"]`, id, q)
	}
	return tokenFrame(id, int(i), strings.TrimPrefix(textOf(q, int(i)+1), textOf(q, int(i))))
}

func requestOf(q int) string { return fmt.Sprint("r", q) }

// play plays a plan, and returns the differences from the model.
func play(t *testing.T, p plan) (wrong []string) {
	w := make(wire)
	limits := modelLimits
	limits.OnGap = p.onGap
	client := w.client(t, Config{Stream: limits, Conn: conn.Config{Reconnect: reconnect.Policy{
		InitialInterval: time.Millisecond, MaxInterval: time.Millisecond, RandomizationFactor: -1,
	}}})
	_, stop := wiretest.Run(t, client)
	defer stop()
	pid := 0
	var l *link
	var aborts []string
	drain := func() { // records the client's frames of a session
		for synctest.Wait(); len(l.out) > 0; {
			if frame := <-l.out; strings.Contains(frame, "ai:abort") {
				aborts = append(aborts, frame)
			}
		}
	}
	connect := func(missed func() (frame string, ok bool)) (resumed bool) {
		l = <-w
		asked := strings.Contains(<-l.out, `"pid"`)
		if resumed = asked && missed != nil; !resumed {
			pid++
		} else if frame, ok := missed(); ok {
			l.send(frame)
		}
		l.send(fmt.Sprintf(`40{"sid":"socket","pid":"%d"}`, pid), `42["hello",1,"offset"]`)
		drain()
		return resumed
	}
	connect(nil)

	m := newModel(p, time.Now())
	streams := make([]*Stream, len(p.named))
	cancels := make([]context.CancelFunc, len(p.named))
	next := make([]int, len(p.named))
	item := func(q int) (frame string, ok bool) { // the next item of an answer
		if streams[q] == nil || next[q] == len(p.items[q]) || m.silent(q, p.items[q][next[q]], streams[q]) {
			return "", false
		}
		next[q]++
		m.item(q, p.items[q][next[q]-1])
		return p.frame(q, p.items[q][next[q]-1]), true
	}
	for _, s := range p.steps {
		m.until(time.Now())
		switch s.what {
		case "ask":
			if streams[s.q] != nil {
				break
			}
			var ctx context.Context
			ctx, cancels[s.q] = context.WithCancel(t.Context())
			var err error
			if streams[s.q], err = client.Ask(ctx, Question{UserID: user, RequestID: requestOf(s.q)}); err != nil {
				return []string{err.Error()}
			}
			m.until(time.Now()) // Ask may have waited for the answer to an abandoned question
			m.ask(s.q)
		case "item":
			if frame, ok := item(s.q); ok {
				l.send(frame)
			}
		case "wait":
			time.Sleep(s.delay)
		case "cut":
			drain()
			l.cut()
			m.cut()
			time.Sleep(s.delay*2 + 100*time.Millisecond) // the next attempt begins meanwhile
			synctest.Wait()
			m.until(time.Now())
			m.entering = true
			var missed func() (string, bool)
			if s.yes { // if asked, the server resumes the session, with the missed event
				missed = func() (string, bool) { return item(s.q) }
			}
			m.connect(connect(missed))
		case "abort", "client abort":
			if streams[s.q] == nil {
				break
			}
			m.abort(s.q, ErrAborted)
			if s.what == "abort" {
				streams[s.q].Abort("")
				break
			}
			m.questions[s.q].explicit = true
			if err := client.Abort(t.Context(), events.Abort{RequestID: requestOf(s.q)}); err != nil {
				return []string{err.Error()}
			}
		case "cancel":
			if streams[s.q] != nil {
				m.abort(s.q, context.Canceled)
				cancels[s.q]()
			}
		}
		drain()
	}
	time.Sleep(time.Hour)
	m.until(time.Now())
	drain()
	for q, s := range streams {
		if s == nil {
			continue
		}
		if !s.Progress().Ended {
			wrong = append(wrong, fmt.Sprintf("the answer to %d has not ended", q))
			continue
		}
		cancels[q]()
		_, err := s.Wait()
		wrong = append(wrong, m.check(q, s, err, aborts)...)
	}
	if client.streams.count.Load() > 0 {
		wrong = append(wrong, "streams are left")
	}
	return wrong
}
