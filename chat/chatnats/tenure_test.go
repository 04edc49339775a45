package chatnats

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/require"
)

// holderOf returns a ctx like that of hold in RunWithLease.
func holderOf(t testing.TB, b *Bus, revision uint64) context.Context {
	require.NoError(t, b.begin(wiretest.Context(t), "lease", revision))
	h := newTenureCtx(wiretest.Context(t), time.Now().Add(time.Hour))
	t.Cleanup(func() { h.end(nil) })
	h.token, h.tenure = "lease", revision
	return h
}

// forwardAs forwards events as the holder of ctx.
func forwardAs(t testing.TB, b *Bus, ctx context.Context, all ...events.Event) {
	var topic bus.Topic[events.Event]
	f, err := Forward(ctx, b, topic.Source(), ForwardConfig{})
	require.NoError(t, err)
	for _, event := range all {
		topic.Publish(event)
	}
	topic.Close()
	require.NoError(t, f.Wait())
}

func TestReaders_dropLateEvents(t *testing.T) {
	t.Parallel()
	b := newBus(t, newServer(t).URL, Config{Partitions: 1})
	one := holderOf(t, b, 5)
	forwardAs(t, b, one, token("room", "r", 0), token("room", "r", 1))
	two := holderOf(t, b, 7)
	// The backend of this holder continues with new events.
	forwardAs(t, b, two, token("room", "r", 5), token("room", "r", 6))
	info, err := b.stream.Info(wiretest.Context(t))
	require.NoError(t, err)
	late := info.State.LastSeq + 1
	status := events.AIProcessing{ChatID: room, RequestID: "r", Status: events.StatusQueued}
	forwardAs(t, b, one, token("room", "r", 2), token("room", "r", 3), status, token("room", "", 9))
	// The backend of this holder has repeated r7, which is already stored.
	forwardAs(t, b, one, token("room", "r", 7), message("room", "r"))
	forwardAs(t, b, two, token("room", "r", 7), message("room", "r"), token("room", "r", 8))

	behind := []events.Event{token("room", "r", 7), message("room", "r"), token("room", "r", 8)}
	for name, c := range map[string]struct {
		from uint64
		want []events.Event
	}{
		"from the first event": {1, append([]events.Event{
			token("room", "r", 0), token("room", "r", 1), token("room", "r", 5), token("room", "r", 6),
		}, behind...)},
		// This reader has not received the earlier tokens.
		"from a late event": {late, append([]events.Event{token("room", "r", 2), token("room", "r", 3)}, behind...)},
	} {
		t.Run(name, func(t *testing.T) {
			for _, durable := range []string{"", "reader"} {
				feed := subscribe(t, b, SubscribeConfig{Sequence: c.from, Durable: durable})
				got := feed.Events.Chan(wiretest.Context(t))
				stop := running(t, feed.Run)
				for _, want := range c.want {
					require.Equal(t, want, wiretest.ReceiveFrom(t, got))
				}
				stop()
				_ = b.stream.DeleteConsumer(wiretest.Context(t), "feed-reader")
			}
			handled := make(chan events.Event, 100)
			stop := running(t, func(ctx context.Context) error {
				cfg := GroupConfig{Name: "group", Sequence: c.from}
				return Work(ctx, b, cfg, func(_ context.Context, d Delivery) error {
					handled <- d.Event
					return nil
				})
			})
			for _, want := range c.want {
				require.Equal(t, want, wiretest.ReceiveFrom(t, handled))
			}
			stop()
			_ = b.stream.DeleteConsumer(wiretest.Context(t), "group-group-0")
		})
	}
}

func TestBus_refusesTenureAfterALaterOne(t *testing.T) {
	t.Parallel()
	b := newBus(t, newServer(t).URL, Config{})
	ctx := wiretest.Context(t)
	require.NoError(t, b.begin(ctx, "lease", 5))
	require.NoError(t, b.begin(ctx, "lease", 9))
	require.ErrorIs(t, b.begin(ctx, "lease", 7), ErrLeaseLost)
	require.NoError(t, b.begin(ctx, "another", 1))
}

func TestForward_sendsRevisionOfTenure(t *testing.T) {
	t.Parallel()
	b := newBus(t, newServer(t).URL, Config{})
	for range 2 {
		require.NoError(t, RunWithLease(wiretest.Context(t), b, room, LeaseConfig{}, func(ctx context.Context) error {
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
	t.Parallel()
	var l lateness
	for _, header := range []nats.Header{nil, {}, {HeaderLease: {"nonsense"}}, {HeaderLease: {"lease -1"}}} {
		late, err := l.late(wiretest.Context(t), header, "parley.0.room.AI_TOKEN", 1)
		require.NoError(t, err)
		require.False(t, late)
	}
}
