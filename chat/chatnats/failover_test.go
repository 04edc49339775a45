package chatnats

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/require"
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
		done: newTally(), asked: newQuestionLog(), holding: make(chan string, 1000),
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
		require.NoError(t, f.people.Join(wiretest.Context(t), killRoom(i)))
	}
	wiretest.ReceiveFrom(t, f.holding)
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
	select {
	case id := <-f.holding:
		require.NotEqual(f.t, lost.id, id)
	case <-time.After(2 * patience):
		for _, m := range f.members {
			if m.role == "holder" && m != lost {
				_ = m.cmd.Process.Signal(syscall.SIGQUIT) // it prints its goroutines
			}
		}
		f.explain()
		f.t.Fatal("no other holder")
	}
	f.t.Logf("another holder after %v", time.Since(begun).Round(time.Millisecond))
	return lost
}

// isolate cuts the routes and the clients of a node.
func (f *fleet) isolate(node int) {
	for _, p := range f.linksOf(node) {
		p.cut()
	}
}

// rejoin ends isolate.
func (f *fleet) rejoin(node int) {
	for _, p := range f.linksOf(node) {
		p.mend()
	}
}

func (f *fleet) linksOf(node int) []*proxy {
	links := f.nats.routesOf(node)
	for _, m := range f.members {
		links = append(links, m.proxies[node])
	}
	return links
}

// ask starts 100 answers.
func (f *fleet) ask(round int) {
	f.done.begin(round)
	for i := range killAnswers {
		id := fmt.Sprintf("r%d-%d", round, i)
		require.NoError(f.t, f.people.SendMessage(wiretest.Context(f.t), events.UserMessage{
			ChatID: killRoom(i), RequestID: id, MessageID: id, UserID: events.IntID(1), Text: "?",
		}))
	}
}

// reach waits until the workers have handled a part of the tokens.
func (f *fleet) reach(percent int) {
	f.t.Helper()
	enough := killAnswers * killTokens * percent / 100
	timeout := time.After(8 * patience)
	for f.done.done() < enough {
		select {
		case <-f.done.more:
		case <-timeout:
			f.explain()
			f.t.Fatalf("not %d%% of the tokens", percent)
		}
	}
	f.t.Logf("%d%% of the tokens are handled", percent)
}

// explain logs the state of the stream and its consumers when the workers make
// no progress.
func (f *fleet) explain() {
	f.t.Logf("%d of %d tokens are handled; the holder is %q", f.done.done(), killAnswers*killTokens, f.current)
	info, err := f.bus.stream.Info(wiretest.Context(f.t))
	if err != nil {
		f.t.Logf("the stream: %v", err)
		return
	}
	f.t.Logf("the stream: %d messages, last %v, led by %s", info.State.Msgs, info.State.LastTime, info.Cluster.Leader)
	for c := range f.bus.stream.ListConsumers(wiretest.Context(f.t)).Info() {
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
	stored := feed.Events.Chan(wiretest.Context(f.t))
	stop := running(f.t, feed.Run)
	have, ended := map[string]int{}, 0
	for ended < killAnswers {
		switch event := wiretest.ReceiveFrom(f.t, stored).(type) {
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
	begun, late, all := uint64(0), 0, stored(f.t, f.bus)
	for _, msg := range all {
		_, revision := parseLease(msg.Header.Get(HeaderLease))
		switch {
		case strings.HasSuffix(msg.Subject, string(keyTenure)):
			require.Greater(f.t, revision, begun)
			begun = revision
		case revision < begun:
			late++
		default:
			require.Equal(f.t, begun, revision)
		}
	}
	f.t.Logf("%d of %d events are late", late, len(all))
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
	more     chan struct{} // signals a new outcome
}

func newQuestionLog() *questionLog {
	return &questionLog{outcomes: map[string]string{}, more: make(chan struct{}, 1)}
}

func (l *questionLog) read(asker *child) {
	for line := range asker.lines {
		if id, outcome, whole := strings.Cut(line, " "); whole {
			l.mu.Lock()
			l.outcomes[id] = outcome
			l.mu.Unlock()
			select {
			case l.more <- struct{}{}:
			default:
			}
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
	timeout := time.After(2 * patience)
	for f.asked.answered() <= before {
		select {
		case <-f.asked.more:
		case <-timeout:
			f.t.Fatal("no further answer")
		}
	}
}
