package chatnats

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/require"
)

var (
	errBroken = errors.New("broken")
	longChat  = strings.Repeat("x", 300)
)

// working starts a worker with quick attempts. It returns the channel of dead
// letters.
func working(t testing.TB, b *Bus, cfg GroupConfig, handle func(ctx context.Context, d Delivery) error) <-chan DeadLetter {
	dead := make(chan DeadLetter, 100)
	cfg.Name, cfg.Sequence = "answers", 1
	setDefault(&cfg.Backoff, time.Millisecond)
	cfg.OnDead = func(letter DeadLetter) { dead <- letter }
	running(t, func(ctx context.Context) error { return Work(ctx, b, cfg, handle) })
	return dead
}

func TestWork_countsAttemptsAndGivesUp(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		cfg      GroupConfig
		fail     func(ctx context.Context) error
		attempts int
		is       func(error) bool
	}{
		"an error": {GroupConfig{MaxAttempts: 3}, func(context.Context) error { return errBroken }, 3,
			func(err error) bool { return errors.Is(err, errBroken) }},
		"Nak": {GroupConfig{MaxAttempts: 2}, func(context.Context) error { return Nak(2*time.Millisecond, errBroken) }, 2,
			func(err error) bool { return errors.Is(err, errBroken) }},
		"Nak with a delay below Backoff": {GroupConfig{MaxAttempts: 3, Backoff: time.Hour},
			func(context.Context) error { return Nak(time.Millisecond, errBroken) }, 3,
			func(err error) bool { return errors.Is(err, errBroken) }},
		"Term": {GroupConfig{}, func(context.Context) error { return Term(errBroken) }, 1,
			func(err error) bool { return errors.Is(err, errBroken) }},
		"a panic": {GroupConfig{MaxAttempts: 2}, func(context.Context) error { panic("broken") }, 2,
			func(err error) bool { _, ok := errors.AsType[*bus.PanicError](err); return ok }},
		"a timeout": {GroupConfig{MaxAttempts: 2, Timeout: time.Second},
			func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, 2,
			func(err error) bool { return errors.Is(err, context.DeadlineExceeded) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBus(t, newServer(t).URL, Config{Partitions: 1})
			letters, err := b.conn.SubscribeSync("parley.dead.answers.>")
			require.NoError(t, err)
			fill(t, b, "room", "r", 5)
			handled := make(chan Delivery, 100)
			dead := working(t, b, c.cfg, func(ctx context.Context, d Delivery) error {
				handled <- d
				if d.Event.(events.AIToken).Index == 2 {
					return c.fail(ctx)
				}
				return nil
			})
			letter := wiretest.ReceiveFrom(t, dead)
			require.Equal(t, token("room", "r", 2), letter.Event)
			require.Equal(t, c.attempts, letter.Attempt)
			require.True(t, c.is(letter.Err), letter.Err)
			for i := range 5 { // in order; the events behind it are handled
				attempts := 1
				if i == 2 {
					attempts = c.attempts
				}
				for n := range attempts {
					d := wiretest.ReceiveFrom(t, handled)
					require.Equal(t, i, d.Event.(events.AIToken).Index)
					require.Equal(t, n+1, d.Attempt)
				}
			}
			msg, err := letters.NextMsgWithContext(wiretest.Context(t))
			require.NoError(t, err)
			require.Equal(t, "parley.dead.answers.room.AI_TOKEN", msg.Subject)
			require.Equal(t, fmt.Sprint(c.attempts), msg.Header.Get(HeaderAttempts))
			require.Equal(t, "3", msg.Header.Get(HeaderSequence))
			require.Equal(t, "r", msg.Header.Get(HeaderRequest))
			require.NotEmpty(t, msg.Header.Get(HeaderError))
			event, err := events.Decode(events.KeyAIToken, msg.Data)
			require.NoError(t, err)
			require.Equal(t, letter.Event, event)
		})
	}
}

func TestWork_givesUpHandlerThatHangs(t *testing.T) {
	t.Parallel()
	b := newBus(t, newServer(t).URL, Config{Partitions: 1})
	fill(t, b, "room", "r", 2)
	release := make(chan struct{})
	handled := make(chan int, 10)
	dead := working(t, b, GroupConfig{Parallel: 1, Timeout: 500 * time.Millisecond}, func(_ context.Context, d Delivery) error {
		index := d.Event.(events.AIToken).Index
		if index == 0 {
			<-release // and not the end of ctx
		}
		handled <- index
		return nil
	})
	require.ErrorIs(t, wiretest.ReceiveFrom(t, dead).Err, ErrHung)
	require.Equal(t, 1, wiretest.ReceiveFrom(t, handled), "it has the only slot")
	close(release)
	require.Equal(t, 0, wiretest.ReceiveFrom(t, handled))
}

func TestWork_handlesOtherChatsWhileOneFails(t *testing.T) {
	t.Parallel()
	const others = 3 * unacknowledged // more than the server delivers without acknowledgements
	for name, fail := range map[string]func(ctx context.Context) error{
		"an error that persists": func(context.Context) error { return Nak(time.Hour, errBroken) },
		"a handler that hangs":   func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBus(t, newServer(t).URL, Config{Partitions: 1})
			fill(t, b, "bad", "r", 1)
			for chat := range 4 {
				fill(t, b, fmt.Sprint("room-", chat), "r", others/4)
			}
			handled := make(chan Delivery, others)
			working(t, b, GroupConfig{}, func(ctx context.Context, d Delivery) error {
				if d.ChatID == events.StringID("bad") {
					return fail(ctx)
				}
				handled <- d
				return nil
			})
			chats := map[events.ID]int{}
			for range others {
				d := wiretest.ReceiveFrom(t, handled)
				require.Equal(t, chats[d.ChatID], d.Event.(events.AIToken).Index)
				chats[d.ChatID]++
			}
			require.Len(t, chats, 4)
			info, err := b.stream.Consumer(wiretest.Context(t), "group-answers-0")
			require.NoError(t, err)
			require.Zero(t, info.CachedInfo().AckFloor.Stream, "the first event is not handled")
		})
	}
}

func TestWork_limitsDelayOfChatThatBlocksItsPartition(t *testing.T) {
	t.Parallel()
	b := newBus(t, newServer(t).URL, Config{Partitions: 1})
	fill(t, b, "bad", "r", unacknowledged+10) // the server delivers no event behind them
	fill(t, b, "room", "r", 1)
	handled := make(chan Delivery, 2*unacknowledged)
	dead := working(t, b, GroupConfig{MaxAttempts: 3}, func(_ context.Context, d Delivery) error {
		if d.Sequence == 1 {
			return Nak(time.Hour, errBroken)
		}
		handled <- d
		return nil
	})
	letter := wiretest.ReceiveFrom(t, dead)
	require.EqualValues(t, 1, letter.Sequence)
	require.Equal(t, 3, letter.Attempt)
	for wiretest.ReceiveFrom(t, handled).ChatID != room {
	}
}

func TestWork_storesDeadLetterOnce(t *testing.T) {
	t.Parallel()
	b := newBus(t, newServer(t).URL, Config{Partitions: 1})
	dead, err := b.js.CreateStream(wiretest.Context(t), jetstream.StreamConfig{Name: "dead", Subjects: []string{"letters.>"}})
	require.NoError(t, err)
	fill(t, b, longChat, "r", 1)
	letters := working(t, b, GroupConfig{DeadSubject: "letters"}, func(context.Context, Delivery) error { return Term(errBroken) })
	letter := wiretest.ReceiveFrom(t, letters)
	info, err := dead.Info(wiretest.Context(t))
	require.NoError(t, err)
	require.EqualValues(t, 1, info.State.Msgs)
	msg, err := dead.GetMsg(wiretest.Context(t), 1)
	require.NoError(t, err)
	require.Equal(t, "chatnats: no further attempt: broken", msg.Header.Get(HeaderError))
	require.NotEmpty(t, msg.Header.Get(HeaderChat))
	require.Equal(t, letter.ChatID, events.StringID(longChat))
}

func TestWork_redeliversEventsOfWorkerThatStopped(t *testing.T) {
	t.Parallel()
	b := newBus(t, newServer(t).URL, Config{Partitions: 1})
	fill(t, b, "room", "r", 40)
	ctx, cancel := context.WithCancel(wiretest.Context(t))
	cfg := GroupConfig{Name: "answers", Sequence: 1}
	require.NoError(t, Work(ctx, b, cfg, func(ctx context.Context, _ Delivery) error {
		cancel()
		return ctx.Err()
	}))
	w := newGroupRecorder(t, b, cfg)
	w.worker("two")
	done := w.until(func(done []work) bool { return len(done) == 40 })
	for i, d := range done {
		require.Equal(t, token("room", "r", i), d.Event)
		require.True(t, d.Redelivered, i)
	}
	var topic bus.Topic[events.Event]
	forwarding(t, b, &topic)
	topic.Publish(token("room", "r", 40))
	done = w.until(func(done []work) bool { return len(done) == 41 })
	require.False(t, done[40].Redelivered)
}
