package chatnats

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/events"
	"github.com/stretchr/testify/require"
)

const (
	killRooms   = 10
	killAnswers = 100
	killTokens  = 60
	killPace    = 100 * time.Millisecond
)

func killRoom(i int) events.ID { return events.StringID(fmt.Sprintf("room-%d", i%killRooms)) }

func init() {
	// A holder competes for the socket, and says "holding" when it hears the rooms,
	// and "left" when its lease is lost.
	roles["holder"] = func(ctx context.Context, args map[string]string) error {
		b, err := openUntil(ctx, args["URL"])
		if err != nil {
			return err
		}
		return RunWithLease(ctx, b, room, LeaseConfig{TTL: 2 * time.Second, ID: args["ID"]}, func(ctx context.Context) error {
			client, err := chat.New(args["CHAT"], chat.Config{ChatID: killRoom(0), JoinTimeout: patience})
			if err != nil {
				return err
			}
			defer func() { _ = client.Close() }()
			defer context.AfterFunc(ctx, func() { fmt.Println("left") })()
			forwarding, err := Forward(ctx, b, client.Events, ForwardConfig{})
			if err != nil {
				return err
			}
			go func() { _ = client.Run(ctx) }() // ends with ctx
			for i := range killRooms {
				if err := client.Join(ctx, killRoom(i)); err != nil {
					return err
				}
			}
			fmt.Println("holding")
			return forwarding.Wait()
		})
	}
	// A worker says what it handles, and when: "<nanoseconds> <request> <index>".
	roles["worker"] = func(ctx context.Context, args map[string]string) error {
		b, err := openUntil(ctx, args["URL"])
		if err != nil {
			return err
		}
		return Work(ctx, b, GroupConfig{Name: "answers", Sequence: 1}, func(_ context.Context, d Delivery) error {
			if token, ok := d.Event.(events.AIToken); ok {
				fmt.Println(time.Now().UnixNano(), token.RequestID, token.Index)
			}
			return nil
		})
	}
}

// A resuming backend answers at its own pace, as long as somebody listens. To
// whoever comes in the middle of answers, it says them from the start, before it goes
// on: what nobody has heard could not reach anybody otherwise.
type resuming struct {
	mu      sync.Mutex
	changed chan struct{}
	comings int  // of listeners
	heard   bool // there is one
	limit   int  // how many tokens of each answer are said for now
}

func newResuming() *resuming {
	return &resuming{changed: make(chan struct{}), limit: killTokens * 3 / 4}
}

// finish lets the answers go on to their end.
func (r *resuming) finish() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.limit = killTokens + 1
	close(r.changed)
	r.changed = make(chan struct{})
}

func (r *resuming) listener(there bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.heard = there; there {
		r.comings++
	}
	close(r.changed)
	r.changed = make(chan struct{})
}

func (r *resuming) look() (comings, limit int, heard bool, changed <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.comings, r.limit, r.heard, r.changed
}

func (r *resuming) answer(ctx context.Context, q events.UserMessage, emit func(events.Event)) {
	said, known := 0, 0
	say := func(i int) {
		if i < killTokens {
			emit(token(q.ChatID.String(), q.RequestID, i))
		} else {
			emit(message(q.ChatID.String(), q.RequestID))
		}
	}
	pace := time.NewTicker(killPace)
	defer pace.Stop()
	for ctx.Err() == nil {
		comings, limit, heard, changed := r.look()
		if heard && comings != known {
			for i := range said {
				say(i)
			}
			known = comings
		}
		var tick <-chan time.Time
		if heard && said < limit {
			tick = pace.C
		}
		select {
		case <-tick:
			if _, _, heard, _ := r.look(); heard {
				say(said)
				said++
			}
		case <-changed:
		case <-ctx.Done():
		}
	}
}

// A tally is what the workers have done.
type tally struct {
	mu    sync.Mutex
	first map[string][]int64 // by request: when each token was first handled, 0 for not yet
	count int                // of those
}

// read takes what a worker says.
func (l *tally) read(t testing.TB, worker *child) {
	for line := range worker.lines {
		fields := strings.Fields(line)
		if len(fields) != 3 {
			continue // cut off by a kill
		}
		at, err := strconv.ParseInt(fields[0], 10, 64)
		require.NoError(t, err)
		index, err := strconv.Atoi(fields[2])
		require.NoError(t, err)
		l.mu.Lock()
		if l.first[fields[1]] == nil {
			l.first[fields[1]] = make([]int64, killTokens)
		}
		switch was := l.first[fields[1]][index]; {
		case was == 0:
			l.count++
			fallthrough
		case at < was:
			l.first[fields[1]][index] = at
		}
		l.mu.Unlock()
	}
}

func (l *tally) done() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.count
}

func TestFailover_losesNoEventWhenProcessesAreKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("takes most of a minute")
	}
	nats := newCluster(t)
	script := newResuming()
	backend := chattest.NewServer(chattest.Config{Answer: script.answer})
	t.Cleanup(backend.Close)
	b := nats.open(Config{Replicas: 3, Partitions: 4})

	var reading sync.WaitGroup
	done := &tally{first: map[string][]int64{}}
	worker := func(id string) *child {
		w := newChild(t, "worker", map[string]string{"URL": nats.URL, "ID": id})
		reading.Go(func() { done.read(t, w) }) // ends with the child
		return w
	}
	holding := make(chan string, 100)
	holder := func(id string) *child {
		h := newChild(t, "holder", map[string]string{"URL": nats.URL, "ID": id, "CHAT": backend.URL})
		reading.Go(func() { // ends with the child
			for line := range h.lines {
				script.listener(line == "holding")
				if line == "holding" {
					holding <- id
				}
			}
		})
		return h
	}
	workers := []*child{worker("w0"), worker("w1"), worker("w2")}
	script.listener(false)
	holders := map[string]*child{"h0": holder("h0"), "h1": holder("h1")}
	first := next(t, holding)

	// The people of the chat are not the holder's affair: they have a socket of their own.
	people, err := chat.New(backend.URL, chat.Config{ChatID: killRoom(0), JoinTimeout: patience})
	require.NoError(t, err)
	t.Cleanup(func() { _ = people.Close() })
	running(t, people.Run)
	for i := range killRooms {
		require.NoError(t, people.Join(newContext(t), killRoom(i)))
	}
	for i := range killAnswers {
		require.NoError(t, people.SendMessage(newContext(t), events.UserMessage{
			ChatID: killRoom(i), RequestID: fmt.Sprintf("r%d", i), MessageID: fmt.Sprintf("m%d", i), UserID: events.IntID(1), Text: "?",
		}))
	}

	const all = killAnswers * killTokens
	reach := func(percent int) {
		t.Helper()
		require.Eventually(t, func() bool { return done.done() >= all*percent/100 }, 2*patience, 10*time.Millisecond,
			"%d%% of the tokens", percent)
		t.Logf("%d%% of the tokens are handled", percent)
	}
	reach(15)
	workers[1].kill()
	reach(25)
	script.listener(false)
	holders[first].kill()
	killed := time.Now()
	require.NotEqual(t, first, next(t, holding))
	t.Logf("another holder after %v", time.Since(killed).Round(time.Millisecond))
	reach(40)
	leader := nats.leader(b)
	nats.nodes[leader].kill()
	killed = time.Now()
	reach(50)
	t.Logf("10%% more %v after the stream's leader was killed", time.Since(killed).Round(time.Millisecond))
	nats.start(leader)
	for _, node := range nats.nodes {
		node.kill()
	}
	killed = time.Now()
	script.finish()             // a quarter of each answer is yet to be said
	time.Sleep(5 * time.Second) // what the test is about
	for i := range nats.nodes {
		nats.start(i)
	}
	reach(100)
	t.Logf("the rest %v after all of NATS was killed", time.Since(killed).Round(time.Millisecond))

	// The stream has each event once, and each request in order.
	feed := subscribe(t, b, SubscribeConfig{Sequence: 1})
	stored := feed.Events.Chan(newContext(t))
	running(t, feed.Run)
	have, ended := map[string]int{}, 0
	for ended < killAnswers {
		switch event := next(t, stored).(type) {
		case events.AIToken:
			require.Equal(t, have[event.RequestID], event.Index, event.RequestID)
			have[event.RequestID]++
		case events.AIMessage:
			require.Equal(t, killTokens, have[event.RequestID], event.RequestID)
			ended++
		}
	}
	for _, c := range append(workers, holders["h0"], holders["h1"]) {
		c.kill()
	}
	reading.Wait()
	for request, times := range done.first {
		require.True(t, slices.IsSorted(times), "%s is not handled in order", request)
	}
}
