package chatnats

import (
	"context"
	"testing"
	"time"

	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/require"
)

// fill stores n tokens of one request in the stream.
func fill(t testing.TB, b *Bus, chat, request string, n int) {
	var topic bus.Topic[events.Event]
	f, err := Forward(wiretest.Context(t), b, topic.Source(), ForwardConfig{})
	require.NoError(t, err)
	for i := range n {
		topic.Publish(token(chat, request, i))
	}
	topic.Close()
	require.NoError(t, f.Wait())
}

func subscribe(t testing.TB, b *Bus, cfg SubscribeConfig) *Feed {
	feed, err := Subscribe(wiretest.Context(t), b, cfg)
	require.NoError(t, err)
	return feed
}

func TestFeed_publishesEventsOnTypedTopics(t *testing.T) {
	t.Parallel()
	b := newBus(t, newServer(t).URL, Config{})
	feed := subscribe(t, b, SubscribeConfig{})
	ctx := wiretest.Context(t)
	all, tokens, messages := feed.Events.Chan(ctx), feed.Tokens.Chan(ctx), feed.Messages.Chan(ctx)
	deliveries, presence := feed.Deliveries.Chan(ctx), feed.Presence.Chan(ctx)
	running(t, feed.Run)

	said := []events.Event{
		events.AIProcessing{ChatID: events.StringID("room"), RequestID: "r", Status: events.StatusWorking},
		token("room", "r", 0), token("room", "r", 1), message("room", "r"),
		events.Presence{ChatID: events.StringID("room"), OnlineUserIDs: []events.ID{events.IntID(1)}},
	}
	var topic bus.Topic[events.Event]
	forwarding(t, b, &topic)
	for _, event := range said {
		topic.Publish(event)
	}
	for i, event := range said {
		require.Equal(t, event, wiretest.ReceiveFrom(t, all))
		d := wiretest.ReceiveFrom(t, deliveries)
		require.Equal(t, event, d.Event)
		require.EqualValues(t, i+1, d.Sequence)
		require.Equal(t, events.StringID("room"), d.ChatID)
		require.False(t, d.Redelivered)
	}
	require.Equal(t, said[1], events.Event(wiretest.ReceiveFrom(t, tokens)))
	require.Equal(t, said[2], events.Event(wiretest.ReceiveFrom(t, tokens)))
	require.Equal(t, said[3], events.Event(wiretest.ReceiveFrom(t, messages)))
	require.Equal(t, said[4], events.Event(wiretest.ReceiveFrom(t, presence)))
}

func TestSubscribe_startsNowOrAtSequenceOrTime(t *testing.T) {
	t.Parallel()
	b := newBus(t, newServer(t).URL, Config{})
	fill(t, b, "room", "old", 5)
	fifth, err := b.stream.GetMsg(wiretest.Context(t), 5)
	require.NoError(t, err)
	now := subscribe(t, b, SubscribeConfig{})
	fill(t, b, "room", "new", 1) // before Run, and after Subscribe
	for name, c := range map[string]struct {
		feed  *Feed
		first events.AIToken
	}{
		"now":          {now, token("room", "new", 0)},
		"a sequence":   {subscribe(t, b, SubscribeConfig{Sequence: 3}), token("room", "old", 2)},
		"the earliest": {subscribe(t, b, SubscribeConfig{Sequence: 1}), token("room", "old", 0)},
		"a time":       {subscribe(t, b, SubscribeConfig{Time: fifth.Time}), token("room", "old", 4)},
	} {
		t.Run(name, func(t *testing.T) {
			tokens := c.feed.Tokens.Chan(wiretest.Context(t))
			running(t, c.feed.Run)
			require.Equal(t, c.first, wiretest.ReceiveFrom(t, tokens))
		})
	}
	_, err = Subscribe(t.Context(), b, SubscribeConfig{Sequence: 1, Time: time.Now()})
	require.Error(t, err)
}

func TestSubscribe_filtersByChats(t *testing.T) {
	t.Parallel()
	b := newBus(t, newServer(t).URL, Config{})
	fill(t, b, "one", "r", 2)
	fill(t, b, "two", "r", 2)
	fill(t, b, "three", "r", 2)
	feed := subscribe(t, b, SubscribeConfig{Chats: []events.ID{events.StringID("one"), events.StringID("three")}, Sequence: 1})
	tokens := feed.Tokens.Chan(wiretest.Context(t))
	running(t, feed.Run)
	for _, chat := range []string{"one", "one", "three", "three"} {
		require.Equal(t, events.StringID(chat), wiretest.ReceiveFrom(t, tokens).ChatID)
	}
}

func TestFeed_continuesAfterNATSRestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	server, err := Embedded(dir)
	require.NoError(t, err)
	b := newBus(t, server.URL, Config{})
	feed := subscribe(t, b, SubscribeConfig{})
	tokens := feed.Tokens.Chan(wiretest.Context(t))
	running(t, feed.Run)
	var topic bus.Topic[events.Event]
	forwarding(t, b, &topic)
	for i := range 200 {
		if i == 50 {
			server = restart(t, server, dir)
			t.Cleanup(server.Close)
		}
		topic.Publish(token("room", "r", i))
		require.Equal(t, i, wiretest.ReceiveFrom(t, tokens).Index)
	}
}

func TestFeed_resumesDurableAfterAcknowledgedEvents(t *testing.T) {
	t.Parallel()
	b := newBus(t, newServer(t).URL, Config{})
	fill(t, b, "room", "r", 300) // more than fits into a channel
	feed := subscribe(t, b, SubscribeConfig{Durable: "reader", Sequence: 1})
	ctx, cancel := context.WithCancel(wiretest.Context(t))
	tokens := feed.Tokens.Chan(ctx)
	stop := running(t, feed.Run)
	for i := range 100 {
		require.Equal(t, i, wiretest.ReceiveFrom(t, tokens).Index)
	}
	stop()
	cancel()

	feed = subscribe(t, b, SubscribeConfig{Durable: "reader"})
	deliveries := feed.Deliveries.Chan(wiretest.Context(t))
	running(t, feed.Run)
	first := wiretest.ReceiveFrom(t, deliveries)
	require.LessOrEqual(t, first.Sequence, uint64(101), "what nobody has read is not lost")
	require.Greater(t, first.Sequence, uint64(1), "what was read and acknowledged does not come again")
	for i := first.Sequence + 1; i <= 300; i++ {
		require.Equal(t, i, wiretest.ReceiveFrom(t, deliveries).Sequence)
	}
}

func TestFeed_standbyTakesOverDurable(t *testing.T) {
	t.Parallel()
	b := newBus(t, newServer(t).URL, Config{})
	var topic bus.Topic[events.Event]
	forwarding(t, b, &topic)
	seen := make(chan int, 1000)
	reader := func() (stop func()) {
		feed := subscribe(t, b, SubscribeConfig{Durable: "reader"})
		return running(t, func(ctx context.Context) error {
			go func() { // ends with the feed
				for token := range feed.Tokens.Chan(context.WithoutCancel(ctx)) {
					seen <- token.Index
				}
			}()
			return feed.Run(ctx)
		})
	}
	stop := reader()
	topic.Publish(token("room", "r", 0))
	require.Equal(t, 0, wiretest.ReceiveFrom(t, seen))
	reader()
	stop()
	topic.Publish(token("room", "r", 1))
	for wiretest.ReceiveFrom(t, seen) != 1 { // 0 may be delivered again
	}
}

func TestFeed_marksRepetitionsOfDurable(t *testing.T) {
	t.Parallel()
	b := newBus(t, newServer(t).URL, Config{})
	fill(t, b, "room", "r", 40)
	cfg := SubscribeConfig{Durable: "reader", Sequence: 1}
	feed := subscribe(t, b, cfg)
	deliveries := feed.Deliveries.Chan(wiretest.Context(t), bus.Limit(1), bus.OnOverflow(bus.Block))
	stop := running(t, feed.Run)
	require.False(t, wiretest.ReceiveFrom(t, deliveries).Redelivered)
	stop() // without having received the others
	feed = subscribe(t, b, cfg)
	deliveries = feed.Deliveries.Chan(wiretest.Context(t))
	running(t, feed.Run)
	require.True(t, wiretest.ReceiveFrom(t, deliveries).Redelivered)
}

func TestFeed_startsAfterEventsAcknowledgedByReader(t *testing.T) {
	t.Parallel()
	b := newBus(t, newServer(t).URL, Config{})
	fill(t, b, "room", "r", 40)
	cfg := SubscribeConfig{Durable: "reader", Sequence: 1, ManualAck: true}
	feed := subscribe(t, b, cfg)
	deliveries := feed.Deliveries.Chan(wiretest.Context(t))
	stop := running(t, feed.Run)
	for range 40 {
		require.False(t, wiretest.ReceiveFrom(t, deliveries).Redelivered)
	}
	feed.Ack(15)
	feed.Ack(12) // has no effect
	stop()
	feed = subscribe(t, b, cfg)
	deliveries = feed.Deliveries.Chan(wiretest.Context(t))
	running(t, feed.Run)
	for sequence := uint64(16); sequence <= 40; sequence++ {
		d := wiretest.ReceiveFrom(t, deliveries)
		require.Equal(t, sequence, d.Sequence)
		require.True(t, d.Redelivered)
	}
	_, err := Subscribe(wiretest.Context(t), b, SubscribeConfig{ManualAck: true})
	require.Error(t, err)
}

func TestFeed_reportsEventsDroppedByStream(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		cfg  SubscribeConfig
		from uint64 // of the gap; 0 for none
	}{
		"all chats":                 {SubscribeConfig{}, 2},
		"one chat":                  {SubscribeConfig{Chats: []events.ID{room}}, 2},
		"durable":                   {SubscribeConfig{Durable: "reader"}, 2},
		"from a sequence":           {SubscribeConfig{Sequence: 10}, 10},
		"one chat from a sequence":  {SubscribeConfig{Sequence: 10, Chats: []events.ID{room}}, 10},
		"durable from a sequence":   {SubscribeConfig{Sequence: 10, Durable: "reader"}, 10},
		"from the first event":      {SubscribeConfig{Sequence: 1}, 0},
		"from a time":               {SubscribeConfig{Time: time.Unix(1, 0)}, 0},
		"durable, from first event": {SubscribeConfig{Sequence: 1, Durable: "reader"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBus(t, newServer(t).URL, Config{MaxBytes: 50_000})
			fill(t, b, "room", "old", 1)
			feed := subscribe(t, b, c.cfg)
			gaps, deliveries := feed.Gaps.Chan(wiretest.Context(t)), feed.Deliveries.Chan(wiretest.Context(t))
			fill(t, b, "room", "r", 300)
			info, err := b.stream.Info(wiretest.Context(t))
			require.NoError(t, err)
			require.Greater(t, info.State.FirstSeq, uint64(10))
			running(t, feed.Run)
			require.Equal(t, info.State.FirstSeq, wiretest.ReceiveFrom(t, deliveries).Sequence)
			if c.from == 0 {
				require.Empty(t, gaps)
				require.Zero(t, b.Stats().Gaps)
				return
			}
			require.EqualValues(t, 1, b.Stats().Gaps)
			require.Equal(t, Gap{c.from, info.State.FirstSeq - 1}, wiretest.ReceiveFrom(t, gaps))
		})
	}
}

func TestFeed_reportsEventsDroppedBeforeItStarts(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]SubscribeConfig{
		"all chats": {},
		"durable":   {Durable: "reader"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBus(t, newServer(t).URL, Config{MaxBytes: 50_000})
			fill(t, b, "room", "r", 300)
			info, err := b.stream.Info(wiretest.Context(t))
			require.NoError(t, err)
			cfg.Sequence = 10
			feed := subscribe(t, b, cfg)
			gaps := feed.Gaps.Chan(wiretest.Context(t))
			running(t, feed.Run)
			require.Equal(t, Gap{10, info.State.FirstSeq - 1}, wiretest.ReceiveFrom(t, gaps))
		})
	}
}
