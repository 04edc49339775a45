package chatnats

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/require"
)

func TestShare_splitsPartitionsEvenlyAndMovesFew(t *testing.T) {
	t.Parallel()
	members := []string{"a", "b", "c", "d"}
	for partitions := range 40 {
		for n := 1; n <= len(members); n++ {
			owned := 0
			for _, id := range members[:n] {
				mine := share(members[:n], id, partitions)
				require.GreaterOrEqual(t, len(mine), partitions/n)
				require.LessOrEqual(t, len(mine), (partitions+n-1)/n)
				owned += len(mine)
			}
			require.Equal(t, partitions, owned)
		}
	}
	moved := 0
	for _, id := range members[:3] {
		before, after := share(members[:3], id, 64), share(members, id, 64)
		for n := range before {
			if !after[n] {
				moved++
			}
		}
	}
	require.Less(t, moved, 32, "of 64 partitions, 16 have to move to the fourth member")
	require.Empty(t, share(nil, "a", 16))
	require.Empty(t, share(members, "stranger", 16))
}

// A work is an event that a worker has handled.
type work struct {
	worker string
	Delivery
}

// A groupRecorder starts the workers of a group, and records the events that
// they handle.
type groupRecorder struct {
	t    testing.TB
	b    *Bus
	cfg  GroupConfig
	mu   sync.Mutex
	done []work
	came chan struct{}
}

func newGroupRecorder(t testing.TB, b *Bus, cfg GroupConfig) *groupRecorder {
	return &groupRecorder{t: t, b: b, cfg: cfg, came: make(chan struct{}, 1)}
}

func (w *groupRecorder) worker(name string) (stop func()) {
	return running(w.t, func(ctx context.Context) error {
		return Work(ctx, w.b, w.cfg, func(_ context.Context, d Delivery) error {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.done = append(w.done, work{name, d})
			select {
			case w.came <- struct{}{}:
			default:
			}
			return nil
		})
	})
}

// until waits until enough returns true for the handled events, and returns
// them.
func (w *groupRecorder) until(enough func(done []work) bool) []work {
	ctx := wiretest.Context(w.t)
	for {
		w.mu.Lock()
		done := append([]work(nil), w.done...)
		w.mu.Unlock()
		if enough(done) {
			return done
		}
		select {
		case <-w.came:
		case <-ctx.Done():
			require.Fail(w.t, "not enough is done", "%d events", len(done))
		}
	}
}

// requests groups work by request without repetitions, and requires that the
// tokens of each request are in order.
func requests(t testing.TB, done []work) map[string][]work {
	all := map[string][]work{}
	for _, d := range done {
		token, ok := d.Event.(events.AIToken)
		if !ok {
			continue
		}
		have := all[token.RequestID]
		switch {
		case token.Index < len(have):
			require.True(t, d.Redelivered, "%s %d came twice without being marked", token.RequestID, token.Index)
		case token.Index == len(have):
			all[token.RequestID] = append(have, d)
		default:
			require.Failf(t, "out of order", "%s: %d after %d", token.RequestID, token.Index, len(have)-1)
		}
	}
	return all
}

func TestWork_keepsRequestOrderAcrossTwoWorkers(t *testing.T) {
	t.Parallel()
	b := newBus(t, newServer(t).URL, Config{})
	w := newGroupRecorder(t, b, GroupConfig{Name: "answers", Sequence: 1})
	w.worker("one")
	w.worker("two")
	var topic bus.Topic[events.Event]
	forwarding(t, b, &topic)
	const chats = 20
	tokens := 0
	// The second worker starts while requests are in progress.
	for both := false; !both || tokens < 50; tokens++ {
		for chat := range chats {
			topic.Publish(token(fmt.Sprintf("room-%d", chat), fmt.Sprintf("r%d", chat), tokens))
		}
		done := w.until(func(done []work) bool { return distinct(done) == chats*(tokens+1) })
		workers := map[string]bool{}
		for _, d := range done {
			workers[d.worker] = true
		}
		both = len(workers) == 2
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	all := requests(t, w.done)
	require.Len(t, all, chats)
	for request, its := range all {
		require.Len(t, its, tokens, request)
	}
}

// distinct counts the events without repetitions.
func distinct(done []work) int {
	seen := map[uint64]bool{}
	for _, d := range done {
		seen[d.Sequence] = true
	}
	return len(seen)
}

func TestWork_resumesFromAcknowledgedEventOrFromStart(t *testing.T) {
	t.Parallel()
	for _, fromStart := range []bool{false, true} {
		t.Run(fmt.Sprintf("FromStart %v", fromStart), func(t *testing.T) {
			b := newBus(t, newServer(t).URL, Config{})
			w := newGroupRecorder(t, b, GroupConfig{Name: "answers", FromStart: fromStart})
			stop := w.worker("one")
			require.Eventually(t, func() bool { return groupIsOpen(t, b, "answers") }, patience, time.Millisecond)
			var topic bus.Topic[events.Event]
			forwarding(t, b, &topic)
			for i := range 3 {
				topic.Publish(token("room", "ended", i))
			}
			topic.Publish(message("room", "ended"))
			for i := range 10 {
				topic.Publish(token("room", "r", i))
			}
			w.until(func(done []work) bool { return len(done) == 14 })
			stop()
			w.worker("two")
			topic.Publish(token("room", "r", 10))
			topic.Publish(token("room", "new", 0))
			done := w.until(func(done []work) bool {
				return done[len(done)-1].Event.Envelope().RequestID == "new"
			})[14:]
			if !fromStart {
				require.Len(t, done, 2, "the first one had acknowledged everything before it left")
				require.Equal(t, 10, done[0].Event.(events.AIToken).Index)
				return
			}
			require.Len(t, done, 12)
			for i := range 11 {
				require.Equal(t, token("room", "r", i), done[i].Event)
				require.Equal(t, "two", done[i].worker)
				require.Equal(t, i < 10, done[i].Redelivered)
			}
		})
	}
}

// groupIsOpen reports whether all consumers of a group are there.
func groupIsOpen(t testing.TB, b *Bus, group string) bool {
	_, err := b.stream.Consumer(wiretest.Context(t), fmt.Sprintf("group-%s-%d", group, b.partitions-1))
	return err == nil
}

func TestWork_limitsConcurrentHandlers(t *testing.T) {
	t.Parallel()
	b := newBus(t, newServer(t).URL, Config{})
	for chat := range 8 {
		fill(t, b, fmt.Sprintf("room-%d", chat), "r", 5)
	}
	var mu sync.Mutex
	var handled, now, most int
	ctx, cancel := context.WithCancel(wiretest.Context(t))
	err := Work(ctx, b, GroupConfig{Name: "answers", Sequence: 1, Parallel: 2}, func(context.Context, Delivery) error {
		mu.Lock()
		now++
		most = max(most, now)
		mu.Unlock()
		defer func() {
			mu.Lock()
			defer mu.Unlock()
			now--
			if handled++; handled == 40 {
				cancel()
			}
		}()
		return nil
	})
	require.NoError(t, err)
	require.LessOrEqual(t, most, 2)
}

func TestWork_rejectsInvalidConfig(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]GroupConfig{
		"no name":       {},
		"a bad name":    {Name: "a.b"},
		"a short TTL":   {Name: "a", TTL: 1},
		"two starts":    {Name: "a", Sequence: 1, Time: message("", "").CreatedAt},
		"less than one": {Name: "a", Parallel: -1},
		"no attempt":    {Name: "a", MaxAttempts: -1},
	} {
		t.Run(name, func(t *testing.T) {
			require.Error(t, Work(t.Context(), nil, cfg, nil))
		})
	}
}
