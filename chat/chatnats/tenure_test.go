package chatnats

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/events"
	"github.com/stretchr/testify/require"
)

// holderOf returns a ctx as RunWithLease gives to its function.
func holderOf(t testing.TB, b *Bus, revision uint64) context.Context {
	require.NoError(t, b.begin(newContext(t), "lease", revision))
	h := newHeld(newContext(t), time.Now().Add(time.Hour))
	t.Cleanup(func() { h.end(nil) })
	h.token, h.tenure = "lease", revision
	return h
}

// forwardAs forwards the tokens of a request as the holder of ctx.
func forwardAs(t testing.TB, b *Bus, ctx context.Context, request string, n int) {
	var topic bus.Topic[events.Event]
	f, err := Forward(ctx, b, topic.Source(), ForwardConfig{})
	require.NoError(t, err)
	for i := range n {
		topic.Publish(token("room", request, i))
	}
	topic.Close()
	require.NoError(t, f.Wait())
}

func TestFeed_dropsEventsOfLateHolder(t *testing.T) {
	b := newBus(t, newServer(t).URL, Config{Partitions: 1})
	one := holderOf(t, b, 5)
	forwardAs(t, b, one, "first", 3)
	two := holderOf(t, b, 7)
	forwardAs(t, b, two, "second", 3)
	info, err := b.stream.Info(newContext(t))
	require.NoError(t, err)
	late := info.State.LastSeq + 1
	forwardAs(t, b, one, "late", 3)
	forwardAs(t, b, two, "third", 1)

	tokens := func(requests ...string) (all []events.AIToken) {
		for i, request := range requests {
			for n := range 3 {
				if i < len(requests)-1 || n == 0 {
					all = append(all, token("room", request, n))
				}
			}
		}
		return all
	}
	for name, c := range map[string]struct {
		from uint64
		want []events.AIToken
	}{
		"from the first event": {1, tokens("first", "second", "third")},
		"from the late event":  {late, tokens("third")},
	} {
		t.Run(name, func(t *testing.T) {
			for _, durable := range []string{"", "reader"} {
				feed := subscribe(t, b, SubscribeConfig{Sequence: c.from, Durable: durable})
				got := feed.Tokens.Chan(newContext(t))
				stop := running(t, feed.Run)
				for _, want := range c.want {
					require.Equal(t, want, next(t, got))
				}
				stop()
				_ = b.stream.DeleteConsumer(newContext(t), "feed-reader")
			}
			handled := make(chan events.Event, 100)
			stop := running(t, func(ctx context.Context) error {
				cfg := GroupConfig{Name: "group", Sequence: c.from, FromStart: true}
				return Work(ctx, b, cfg, func(_ context.Context, d Delivery) error {
					handled <- d.Event
					return nil
				})
			})
			for _, want := range c.want {
				require.Equal(t, events.Event(want), next(t, handled))
			}
			stop()
			_ = b.stream.DeleteConsumer(newContext(t), "group-group-0")
		})
	}
}

func TestBus_refusesTenureAfterALaterOne(t *testing.T) {
	b := newBus(t, newServer(t).URL, Config{})
	ctx := newContext(t)
	require.NoError(t, b.begin(ctx, "lease", 5))
	require.NoError(t, b.begin(ctx, "lease", 9))
	require.ErrorIs(t, b.begin(ctx, "lease", 7), ErrLeaseLost)
	require.NoError(t, b.begin(ctx, "another", 1))
}

func TestForward_sendsRevisionOfTenure(t *testing.T) {
	b := newBus(t, newServer(t).URL, Config{})
	for range 2 {
		require.NoError(t, RunWithLease(newContext(t), b, room, LeaseConfig{}, func(ctx context.Context) error {
			var topic bus.Topic[events.Event]
			f, err := Forward(ctx, b, topic.Source(), ForwardConfig{})
			require.NoError(t, err)
			topic.Publish(token("room", "", 0))
			topic.Close()
			return f.Wait()
		}))
	}
	var last uint64
	for i, msg := range stored(t, b) {
		lease, revision := parseLease(msg.Header.Get(HeaderLease))
		require.Equal(t, tokenOf(room), lease)
		if i%2 == 0 {
			require.Greater(t, revision, last, "a tenure begins")
		} else {
			require.Equal(t, last, revision, "an event of it")
		}
		last = revision
	}
}

func TestLateness_isNoneWithoutLease(t *testing.T) {
	var l lateness
	for _, header := range []nats.Header{nil, {}, {HeaderLease: {"nonsense"}}, {HeaderLease: {"lease -1"}}} {
		late, err := l.late(newContext(t), header, "parley.0.room.AI_TOKEN", 1)
		require.NoError(t, err)
		require.False(t, late)
	}
}
