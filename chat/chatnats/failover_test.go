package chatnats

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/events"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/synadia-io/orbit.go/jetstreamext"
)

// A fleet consists of three NATS servers, two holders, three workers and an
// asker, each a process, and a backend in this process. Each holder, worker and
// asker connects to the servers through proxies of its own.
type fleet struct {
	t       testing.TB
	nats    *cluster
	bus     *Bus
	script  *resuming
	backend *chattest.Server
	people  *chat.Client // the users of the chat, with a socket of their own
	reading sync.WaitGroup
	done    *tally
	asked   *questionLog
	holding chan string // ids of holders that have started
	delay   time.Duration

	mu      sync.Mutex
	current string // the holder
	members map[string]*member
}

// A member is a process and its proxies to NATS.
type member struct {
	*child
	role    string
	id      string
	proxies []*proxy
}

func (m *member) cut() {
	for _, p := range m.proxies {
		p.cut()
	}
}

func (m *member) mend() {
	for _, p := range m.proxies {
		p.mend()
	}
}

func newFleet(t testing.TB, delay time.Duration) *fleet {
	f := &fleet{
		t: t, nats: newCluster(t), script: newResuming(), delay: delay, members: map[string]*member{},
		done: &tally{first: map[string][]int64{}}, asked: &questionLog{outcomes: map[string]string{}}, holding: make(chan string, 1000),
	}
	f.backend = chattest.NewServer(chattest.Config{Answer: f.script.answer})
	t.Cleanup(f.backend.Close)
	f.bus = f.nats.open(Config{Replicas: 3, Partitions: 4})
	f.script.listener(false)
	for _, id := range []string{"w0", "w1", "w2"} {
		f.start("worker", id)
	}
	for _, id := range []string{"h0", "h1"} {
		f.start("holder", id)
	}
	var err error
	f.people, err = chat.New(f.backend.URL, chat.Config{ChatID: killRoom(0), JoinTimeout: patience})
	require.NoError(t, err)
	t.Cleanup(func() { _ = f.people.Close() })
	running(t, f.people.Run)
	for i := range killRooms {
		require.NoError(t, f.people.Join(newContext(t), killRoom(i)))
	}
	next(t, f.holding)
	f.start("asker", "q0")
	return f
}

// start starts a process. It replaces an earlier process with the same id.
func (f *fleet) start(role, id string) {
	m := &member{role: role, id: id}
	var urls []string
	for url := range strings.SplitSeq(f.nats.URL, ",") {
		p := newProxy(f.t, url)
		p.delay.Store(int64(f.delay))
		m.proxies = append(m.proxies, p)
		urls = append(urls, p.URL)
	}
	m.child = newChild(f.t, role, map[string]string{
		"URL": strings.Join(urls, ","), "ID": fmt.Sprintf("%s-%d", id, time.Now().UnixNano()), "CHAT": f.backend.URL,
	})
	f.members[id] = m
	f.reading.Go(func() { // ends with the child
		switch role {
		case "worker":
			f.done.read(f.t, m.child)
		case "asker":
			f.asked.read(m.child)
		case "holder":
			for line := range m.lines {
				f.said(id, line)
			}
		}
	})
}

// said processes a line of a holder. A holder that resumes late may print
// "left" when another holder has already started.
func (f *fleet) said(id, line string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case line == "holding":
		f.current = id
		f.script.listener(true)
		f.holding <- id
	case line == "left" && f.current == id:
		f.current = ""
		f.script.listener(false)
	}
}

// holder returns the process that holds the lease.
func (f *fleet) holder() *member {
	f.t.Helper()
	id := ""
	require.Eventually(f.t, func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		id = f.current
		return id != ""
	}, patience, time.Millisecond)
	return f.members[id]
}

// loseHolder breaks the holder and waits for the next one.
func (f *fleet) loseHolder(broken func(*member)) *member {
	f.t.Helper()
	lost := f.holder()
	for len(f.holding) > 0 {
		<-f.holding
	}
	begun := time.Now()
	broken(lost)
	f.mu.Lock()
	if f.current == lost.id {
		f.current = ""
		f.script.listener(false)
	}
	f.mu.Unlock()
	require.NotEqual(f.t, lost.id, next(f.t, f.holding))
	f.t.Logf("another holder after %v", time.Since(begun).Round(time.Millisecond))
	return lost
}

// ask starts 100 answers.
func (f *fleet) ask(round int) {
	f.done.begin(round)
	for i := range killAnswers {
		id := fmt.Sprintf("r%d-%d", round, i)
		require.NoError(f.t, f.people.SendMessage(newContext(f.t), events.UserMessage{
			ChatID: killRoom(i), RequestID: id, MessageID: id, UserID: events.IntID(1), Text: "?",
		}))
	}
}

// reach waits until the workers have handled a part of the tokens.
func (f *fleet) reach(percent int) {
	f.t.Helper()
	all := killAnswers * killTokens
	if !assert.Eventually(f.t, func() bool { return f.done.done() >= all*percent/100 }, 8*patience, 10*time.Millisecond) {
		f.explain()
		f.t.Fatalf("not %d%% of the tokens", percent)
	}
	f.t.Logf("%d%% of the tokens are handled", percent)
}

// explain logs the state of the stream and its consumers when the workers make
// no progress.
func (f *fleet) explain() {
	f.t.Logf("%d of %d tokens are handled; the holder is %q", f.done.done(), killAnswers*killTokens, f.current)
	info, err := f.bus.stream.Info(newContext(f.t))
	if err != nil {
		f.t.Logf("the stream: %v", err)
		return
	}
	f.t.Logf("the stream: %d messages, last %v, led by %s", info.State.Msgs, info.State.LastTime, info.Cluster.Leader)
	for c := range f.bus.stream.ListConsumers(newContext(f.t)).Info() {
		f.t.Logf("%s: %d to come, delivered %d, acknowledged up to %d, groups %+v, led by %s",
			c.Name, c.NumPending, c.Delivered.Stream, c.AckFloor.Stream, c.PriorityGroups, c.Cluster.Leader)
	}
}

// check checks all records of a round. from is its first sequence.
func (f *fleet) check(from uint64) {
	f.t.Helper()
	// A reader of the stream receives each event once, and each request in
	// order.
	feed := subscribe(f.t, f.bus, SubscribeConfig{Sequence: from})
	stored := feed.Events.Chan(newContext(f.t))
	stop := running(f.t, feed.Run)
	have, ended := map[string]int{}, 0
	for ended < killAnswers {
		switch event := next(f.t, stored).(type) {
		case events.AIToken:
			if strings.HasPrefix(event.RequestID, f.done.round) {
				require.Equal(f.t, have[event.RequestID], event.Index, event.RequestID)
				have[event.RequestID]++
			}
		case events.AIMessage:
			if strings.HasPrefix(event.RequestID, f.done.round) {
				require.Equal(f.t, killTokens, have[event.RequestID], event.RequestID)
				ended++
			}
		}
	}
	stop()
	f.checkRevisions()
	f.done.mu.Lock()
	for request, times := range f.done.first {
		require.True(f.t, slices.IsSorted(times), "%s is not handled in order", request)
	}
	f.done.mu.Unlock()
}

// checkRevisions checks that the revisions of the tenures increase, and that no
// event precedes its tenure. It logs the number of late events.
func (f *fleet) checkRevisions() {
	f.t.Helper()
	begun, late, all := uint64(0), 0, 0
	info, err := f.bus.stream.Info(newContext(f.t))
	require.NoError(f.t, err)
	for from := info.State.FirstSeq; from <= info.State.LastSeq; {
		batch, err := jetstreamext.GetBatch(newContext(f.t), f.bus.js, f.bus.prefix, pull, jetstreamext.GetBatchSeq(from))
		require.NoError(f.t, err)
		for msg, err := range batch {
			require.NoError(f.t, err)
			from = msg.Sequence + 1
			_, revision := parseLease(msg.Header.Get(HeaderLease))
			switch all++; {
			case strings.HasSuffix(msg.Subject, string(keyTenure)):
				require.Greater(f.t, revision, begun)
				begun = revision
			case revision < begun:
				late++
			default:
				require.Equal(f.t, begun, revision)
			}
		}
	}
	f.t.Logf("%d of %d events are late", late, all)
}

// end kills all processes, and compares the asker's outcomes with the backend's
// messages. An answered question has reached the backend once, an unsent one
// never, and any other at most once.
func (f *fleet) end() {
	for _, m := range f.members {
		m.kill()
	}
	f.reading.Wait()
	times := map[string]int{}
	for _, r := range f.backend.Received("user:message") {
		var m events.UserMessage
		require.NoError(f.t, r.Decode(&m))
		times[m.RequestID]++
	}
	count := map[string]int{}
	for id, outcome := range f.asked.outcomes {
		kind, rest, _ := strings.Cut(outcome, " ")
		count[kind]++
		switch kind {
		case "answered":
			require.Equal(f.t, 1, times[id], id)
			require.Equal(f.t, askedText, strings.TrimSpace(rest), id)
		case "unsent":
			require.Zero(f.t, times[id], "%s: %s", id, outcome)
		default:
			require.LessOrEqual(f.t, times[id], 1, "%s: %s", id, outcome)
		}
	}
	for id, n := range times {
		require.Equal(f.t, 1, n, id)
	}
	require.NotZero(f.t, count["answered"])
	f.t.Logf("questions of the asker: %v", count)
}

// questionLog records the outcomes that the asker has printed.
type questionLog struct {
	mu       sync.Mutex
	outcomes map[string]string
}

func (l *questionLog) read(asker *child) {
	for line := range asker.lines {
		if id, outcome, whole := strings.Cut(line, " "); whole {
			l.mu.Lock()
			l.outcomes[id] = outcome
			l.mu.Unlock()
		}
	}
}

func (l *questionLog) answered() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, outcome := range l.outcomes {
		if strings.HasPrefix(outcome, "answered") {
			n++
		}
	}
	return n
}

// moreAnswers waits until the asker has had further answers.
func (f *fleet) moreAnswers() {
	f.t.Helper()
	before := f.asked.answered()
	require.Eventually(f.t, func() bool { return f.asked.answered() > before }, 2*patience, 10*time.Millisecond, "no further answer")
}

func TestFailover_losesNoEventWhenProcessesFail(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	f := newFleet(t, time.Millisecond)
	f.moreAnswers()
	f.ask(0)
	f.reach(15)
	f.members["w0"].cut()
	f.members["w1"].stop()
	f.members["q0"].cut()
	asleep := f.loseHolder(func(m *member) { m.stop() })
	f.reach(30)
	asleep.cont() // it resumes and assumes that it has the lease
	f.members["w0"].mend()
	f.members["w1"].cont()
	f.members["q0"].mend()
	leader := f.nats.leader(f.bus)
	f.nats.nodes[leader].stop()
	f.reach(45)
	f.nats.nodes[leader].cont()
	f.members["q0"].stop()
	away := f.loseHolder(func(m *member) { m.cut() })
	f.reach(60)
	f.members["q0"].cont()
	away.mend()
	f.members["w2"].kill()
	f.loseHolder(func(m *member) { m.kill() })
	leader = f.nats.leader(f.bus)
	f.nats.nodes[leader].kill()
	f.script.finish()
	f.reach(100)
	f.moreAnswers()
	f.check(1)
	f.end()
}
