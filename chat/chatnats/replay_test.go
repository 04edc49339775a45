package chatnats

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/require"
)

// newReplay returns a replay and the events that it has delivered.
func newReplay(b *Bus, limit int) (r *replay, handled *[]Delivery) {
	handled = new([]Delivery)
	return &replay{bus: b, limit: limit, handle: func(_ context.Context, d Delivery) error {
		*handled = append(*handled, d)
		return nil
	}}, handled
}

func TestReplay_endsAfterMaxAge(t *testing.T) {
	t.Parallel()
	r, handled := newReplay(&Bus{maxAge: time.Nanosecond}, 1)
	r.begin(10)
	r.since = time.Now().Add(-time.Second)
	d := Delivery{Event: token("room", "r", 0), ChatID: room, Sequence: 11}
	require.NoError(t, r.deliver(t.Context(), d))
	require.Equal(t, []Delivery{d}, *handled)
	require.Nil(t, r.open)
	require.Nil(t, r.without)
}

func TestReplay_boundsTheChatsThatItRemembers(t *testing.T) {
	t.Parallel()
	url := newServer(t).URL
	js, err := jetstream.New(connect(t, url))
	require.NoError(t, err)
	unlimited := Config{}.StreamConfig()
	unlimited.MaxAge, unlimited.Duplicates = 0, time.Minute
	_, err = js.CreateStream(wiretest.Context(t), unlimited)
	require.NoError(t, err)
	b := newBus(t, url, Config{})
	const limit = 3
	r, handled := newReplay(b, limit)
	deliver := func(d Delivery) {
		t.Helper()
		require.NoError(t, r.deliver(wiretest.Context(t), d))
		require.LessOrEqual(t, len(r.without), limit)
	}
	fill(t, b, "room", "open", 2)
	floor := uint64(3)
	r.begin(floor)
	var all []Delivery
	for n := range 3 * limit {
		chat := fmt.Sprint("chat-", n)
		fill(t, b, chat, "r", 1)
		all = append(all, Delivery{Event: token(chat, "r", 0), ChatID: events.StringID(chat), Sequence: floor + uint64(n)})
	}
	fill(t, b, "room", "open", 3) // the first two are repetitions
	last := Delivery{Event: token("room", "open", 2), ChatID: room, Sequence: floor + uint64(len(all))}
	deliver(last)
	require.Len(t, *handled, 3, "with those below the floor")
	for _, d := range all {
		deliver(d)
	}
	deliver(last)
	require.Len(t, *handled, 3+len(all)+1, "the earlier events are delivered once")
	require.NoError(t, b.stream.Purge(wiretest.Context(t), jetstream.WithPurgeSequence(floor)))
	for _, d := range all {
		deliver(d)
	}
	require.Nil(t, r.open, "the stream has no earlier event")
	require.Nil(t, r.without)
}
