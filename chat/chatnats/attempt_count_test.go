package chatnats

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/require"
)

func init() {
	// A victim is a worker whose process ends while it handles the token 2. It
	// prints the number of the attempt first.
	roles["victim"] = func(ctx context.Context, args map[string]string) error {
		conn, err := nats.Connect(args["URL"])
		if err != nil {
			return err
		}
		b, err := Open(ctx, conn, Config{})
		if err != nil {
			return err
		}
		cfg := GroupConfig{Name: "answers", Sequence: 1, MaxAttempts: 2}
		return Work(ctx, b, cfg, func(_ context.Context, d Delivery) error {
			if d.Event.(events.AIToken).Index == 2 {
				fmt.Println(d.Attempt)
				os.Exit(0)
			}
			return nil
		})
	}
}

func TestWork_givesUpEventThatKillsEachWorker(t *testing.T) {
	t.Parallel()
	server := newServer(t)
	b := newBus(t, server.URL, Config{Partitions: 1})
	fill(t, b, "room", "r", 5)
	bucket, err := b.bucket(wiretest.Context(t), true)
	require.NoError(t, err)
	for _, attempt := range []string{"1", "1", "2"} { // the first one is not counted
		victim := newChild(t, "victim", map[string]string{"URL": server.URL})
		require.Equal(t, attempt, wiretest.ReceiveFrom(t, victim.lines))
		victim.ended.Wait()
		// As after the TTL: the next worker need not wait.
		require.NoError(t, b.stream.UnpinConsumer(wiretest.Context(t), "group-answers-0", pinGroup))
		require.NoError(t, bucket.stream.Purge(wiretest.Context(t), jetstream.WithPurgeSubject("$KV.parley.workers.>")))
	}
	handled := make(chan int, 10)
	dead := working(t, b, GroupConfig{MaxAttempts: 2}, func(_ context.Context, d Delivery) error {
		handled <- d.Event.(events.AIToken).Index
		return nil
	})
	letter := wiretest.ReceiveFrom(t, dead)
	require.Equal(t, token("room", "r", 2), letter.Event)
	require.Equal(t, 2, letter.Attempt)
	require.ErrorIs(t, letter.Err, ErrUnfinished)
	for index := -1; index != 4; { // some of the events before it may be handled again
		index = wiretest.ReceiveFrom(t, handled)
		require.NotEqual(t, 2, index)
	}
	requireNoAttempts(t, bucket)
}

// requireNoAttempts requires that the keys of handled events are removed.
func requireNoAttempts(t testing.TB, bucket *bucket) {
	require.Eventually(t, func() bool {
		keys, err := bucket.ListKeysFiltered(wiretest.Context(t), "attempts.>")
		require.NoError(t, err)
		found := 0
		for range keys.Keys() {
			found++
		}
		return found == 0
	}, patience, 10*time.Millisecond)
}

func TestWork_continuesToCountAttemptsOfStoppedWorker(t *testing.T) {
	t.Parallel()
	b := newBus(t, newServer(t).URL, Config{Partitions: 1})
	fill(t, b, "room", "r", 2)
	attempts := make(chan int, 10)
	cfg := GroupConfig{Name: "answers", Sequence: 1, Backoff: time.Millisecond, MaxAttempts: 3}
	ctx, cancel := context.WithCancel(wiretest.Context(t))
	require.NoError(t, Work(ctx, b, cfg, func(ctx context.Context, d Delivery) error {
		attempts <- d.Attempt
		if d.Attempt == 3 {
			cancel() // the attempt does not count
			<-ctx.Done()
		}
		return errBroken
	}))
	dead := working(t, b, cfg, func(_ context.Context, d Delivery) error {
		if d.Event.(events.AIToken).Index == 1 {
			return nil
		}
		attempts <- d.Attempt
		return errBroken
	})
	letter := wiretest.ReceiveFrom(t, dead)
	require.Equal(t, 3, letter.Attempt)
	require.ErrorIs(t, letter.Err, errBroken)
	for _, want := range []int{1, 2, 3, 3} {
		require.Equal(t, want, wiretest.ReceiveFrom(t, attempts))
	}
	bucket, err := b.bucket(wiretest.Context(t), true)
	require.NoError(t, err)
	requireNoAttempts(t, bucket)
}

func TestWork_handlesEventsWhoseAttemptsCannotBeCounted(t *testing.T) {
	t.Parallel()
	b := newBus(t, newServer(t).URL, Config{Partitions: 1})
	w := &worker{bus: b, cfg: GroupConfig{Name: "answers"}}
	w.uncounted.Store(true) // it does not wait long
	count := w.countAttempts(Delivery{Sequence: 1})
	for want := range 3 {
		require.Equal(t, want, count.number)
		count.next(wiretest.Context(t), true) // there is no bucket
	}
}

// An endedCtx has ended, but does not end the contexts that are derived from
// it.
type endedCtx struct{ context.Context }

func (endedCtx) Err() error { return context.Canceled }

func TestWork_doesNotCountAttemptThatIsNotStarted(t *testing.T) {
	t.Parallel()
	b := newBus(t, newServer(t).URL, Config{Partitions: 1})
	bucket, err := b.bucket(wiretest.Context(t), true)
	require.NoError(t, err)
	requireCount := func(want string) {
		t.Helper()
		_, err := bucket.Put(wiretest.Context(t), "after-undo", nil)
		require.NoError(t, err)
		entry, err := bucket.Get(wiretest.Context(t), "attempts.answers.1")
		require.NoError(t, err)
		require.Equal(t, want, string(entry.Value()))
	}
	w := &worker{bus: b, cfg: GroupConfig{Name: "answers"}, slots: make(chan struct{}, 1)}
	d := Delivery{Sequence: 1, Redelivered: true}
	count := w.countAttempts(d)
	require.ErrorIs(t, w.attempt(endedCtx{context.Background()}, &d, count), errNotStarted)
	requireCount("0")

	other := w.countAttempts(d)
	for range 2 {
		other.next(wiretest.Context(t), true)
	}
	requireCount("2")
	count.undo()
	requireCount("2")
}
