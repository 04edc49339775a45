package chat

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestStream_returnsNoWrongAnswer plays random conversations in one room with a
// backend that leaves requestId out. Questions are aborted, other members ask,
// messages are answered too, sessions are lost, and the backend may or may not
// stop after an abort. A record holds all events that the backend sent. No
// stream may mix two answers, and no stream may return the answer to another
// question, except in the cases without a sign that
// docs/delivery-guarantees.md lists.
//
// A round depends on its number only. For more rounds:
//
//	PARLEY_LEDGER=20000 go test ./chat -run WrongAnswer
func TestStream_returnsNoWrongAnswer(t *testing.T) {
	rounds := 150
	if n, err := strconv.Atoi(os.Getenv("PARLEY_LEDGER")); err == nil {
		rounds = n
	}
	var total outcome
	for round := range rounds {
		synctest.Test(t, func(t *testing.T) {
			l := newTranscript(t, uint64(round))
			l.play()
			result, wrong := l.audit()
			total.add(result)
			for _, w := range wrong {
				t.Errorf("round %d: %s", round, w)
			}
			if len(wrong) > 0 {
				t.Log(strings.Join(l.log, "\n"))
			}
		})
		if t.Failed() {
			return
		}
	}
	t.Logf("%+v", total)
	assert.Greater(t, total.Right, total.Ambiguous/2, "many questions are answered")
	assert.Positive(t, total.Ambiguous)
	assert.Less(t, total.Unsigned, total.Right/20, "cases without a sign are rare")
}

// An outcome counts the streams of conversations.
type outcome struct{ Right, Unsigned, Ambiguous, Other int }

func (o *outcome) add(p outcome) {
	o.Right += p.Right
	o.Unsigned += p.Unsigned
	o.Ambiguous += p.Ambiguous
	o.Other += p.Other
}

// A transcript plays a conversation and keeps a record of it.
type transcript struct {
	t      *testing.T
	random *rand.Rand
	client *Client
	wire   wire
	link   *link // nil while the client is not connected
	log    []string

	// The kind of backend.
	strict bool // no case without a sign can occur
	stops  int  // after an abort an answer 0: continues, 1: stops, 2: ends with an error
	silent bool // members' questions are not sent to the room

	answers  []*entry
	streams  []*asked
	messages int // number of messages that the client has sent
	start    time.Time
}

// An entry is the answer to one question, of any member.
type entry struct {
	id      int
	stream  *asked // nil if Ask did not ask
	unseen  bool   // the client cannot know the question
	frames  []string
	next    time.Time
	seen    time.Time // when the client last saw the question or an event of it
	paused  bool      // the client saw nothing of it for AbandonedTimeout
	stopped bool
}

// An asked is a question of the client.
type asked struct {
	id     int
	called time.Time
	stream atomic.Pointer[Stream] // nil until Ask has returned
	cancel context.CancelFunc
}

// over reports whether Ask has returned and its stream has ended.
func (a *asked) over() bool {
	s := a.stream.Load()
	return s != nil && s.Progress().Ended
}

func newTranscript(t *testing.T, round uint64) *transcript {
	l := &transcript{t: t, random: rand.New(rand.NewPCG(round, 17)), wire: make(wire), start: time.Now()}
	l.strict, l.stops, l.silent = l.random.IntN(2) == 0, l.random.IntN(3), l.random.IntN(4) == 0
	l.client = l.wire.client(t, Config{Stream: StreamConfig{IdleTimeout: 20 * time.Second}})
	return l
}

func (l *transcript) logf(format string, args ...any) {
	l.log = append(l.log, fmt.Sprintf("%6v ", time.Since(l.start))+fmt.Sprintf(format, args...))
}

// play plays a conversation of 40 seconds, and then waits for its end.
func (l *transcript) play() {
	ctx, stop := context.WithCancel(l.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- l.client.Run(ctx) }() // ends with ctx
	l.connect()
	const step = 50 * time.Millisecond
	for n := range int(40 * time.Second / step) {
		if l.random.IntN(30) == 0 {
			l.act()
		}
		time.Sleep(step)
		if n%2 == 0 && l.link == nil && l.random.IntN(4) == 0 {
			l.connect()
		}
		l.serve()
	}
	if l.link == nil {
		l.connect()
	}
	for range int(time.Minute / step) {
		time.Sleep(step)
		l.serve()
	}
	for _, a := range l.streams {
		a.cancel()
	}
	synctest.Wait()
	l.link.out = make(chan string, 1<<16) // of the aborts, which are not read
	stop()
	require.NoError(l.t, <-ended)
}

// connect accepts the next session.
func (l *transcript) connect() {
	l.link = <-l.wire
	l.receive() // CONNECT
	l.link.send(`40{"sid":"socket"}`)
	l.receive() // the join
	synctest.Wait()
	l.logf("connected")
}

func (l *transcript) receive() string {
	synctest.Wait()
	return <-l.link.out
}

// act does one random thing.
func (l *transcript) act() {
	switch n := l.random.IntN(20); {
	case n < 9: // mostly one question at a time
		last := len(l.streams) - 1
		if last < 0 || l.streams[last].over() || l.random.IntN(10) == 0 {
			l.ask()
		}
	case n < 13: // give a question up
		if len(l.streams) > 0 {
			a := l.streams[l.random.IntN(len(l.streams))]
			l.logf("cancel %d", a.id)
			a.cancel()
		}
	case n < 15: // a member asks
		if l.link != nil {
			e := l.answer(nil)
			e.unseen = l.silent && !l.strict
			if !e.unseen {
				l.send(fmt.Sprintf(`42["chat:message",{"chatId":"room-1","messageId":"b%d","userId":"bob","text":"?","createdAt":"2026-01-02T03:04:05Z"}]`, e.id))
			}
		}
	case n < 17: // a message, which the backend answers as well
		l.messages++
		m := message(fmt.Sprint("x", l.messages))
		l.logf("message %s", m.MessageID)
		go func() { _ = l.client.SendMessage(l.t.Context(), m) }() // ends when it is written
	case n < 18:
		if l.link != nil && !l.strict {
			l.logf("cut")
			l.serve()
			l.link.cut()
			l.link = nil
		}
	}
	synctest.Wait()
}

func (l *transcript) ask() {
	a := &asked{id: 1000 + len(l.streams), called: time.Now()}
	l.streams = append(l.streams, a)
	var ctx context.Context
	ctx, a.cancel = context.WithTimeout(l.t.Context(), 30*time.Second)
	l.logf("ask %d", a.id)
	go func() { // ends when the question is written, or with ctx
		s, err := l.client.Ask(ctx, Question{UserID: user, MessageID: fmt.Sprint("q", a.id), RequestID: fmt.Sprint("r", a.id)})
		if err == nil {
			a.stream.Store(s)
		}
	}()
}

// answer adds the answer to a question.
func (l *transcript) answer(a *asked) *entry {
	e := &entry{id: len(l.answers), stream: a, seen: time.Now()}
	text := ""
	for n := range l.random.IntN(6) {
		token := fmt.Sprintf("%d.%d ", e.id, n)
		e.frames = append(e.frames, tokenFrame("", n, token))
		text += token
	}
	e.frames = append(e.frames, finalFrame("", text+fmt.Sprintf("end %d", e.id)))
	e.next = time.Now().Add(l.pause())
	l.answers = append(l.answers, e)
	l.logf("question %d of %v", e.id, a)
	return e
}

func (a *asked) String() string {
	if a == nil {
		return "another"
	}
	return fmt.Sprint(a.id)
}

// pause returns a time between two events of an answer.
func (l *transcript) pause() time.Duration {
	if l.strict || l.random.IntN(10) > 0 {
		return time.Duration(l.random.IntN(1500)) * time.Millisecond
	}
	return time.Duration(l.random.IntN(12)) * time.Second
}

// serve reads the client's frames, and sends the events that are due.
func (l *transcript) serve() {
	synctest.Wait()
	for l.link != nil && len(l.link.out) > 0 {
		frame := <-l.link.out
		switch {
		case strings.Contains(frame, `"user:message"`):
			var asked *asked
			for _, a := range l.streams {
				if strings.Contains(frame, fmt.Sprintf("%q", fmt.Sprint("q", a.id))) {
					asked = a
				}
			}
			l.answer(asked)
		case strings.Contains(frame, `"ai:abort"`):
			for _, e := range l.answers {
				if e.stream != nil && strings.Contains(frame, fmt.Sprintf("%q", fmt.Sprint("r", e.stream.id))) && len(e.frames) > 0 {
					l.abort(e)
				}
			}
		}
		synctest.Wait()
	}
	for _, e := range l.answers {
		if e.stopped || len(e.frames) == 0 || time.Now().Before(e.next) {
			continue
		}
		if time.Since(e.seen) >= DefaultAbandonedTimeout {
			e.paused = true
		}
		if l.link == nil {
			e.unseen = true
		} else {
			e.seen = time.Now()
			l.send(e.frames[0])
		}
		e.frames = e.frames[1:]
		e.next = time.Now().Add(l.pause())
	}
}

func (l *transcript) abort(e *entry) {
	l.logf("abort of %d", e.id)
	switch l.stops {
	case 1:
		e.stopped = true
	case 2:
		e.frames = []string{`42["ai:error",{"message":"aborted"}]`}
	}
}

func (l *transcript) send(frame string) {
	l.logf("%s", frame)
	l.link.send(frame)
	synctest.Wait()
}
