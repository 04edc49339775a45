package chatnats

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/require"
)

// differs requires a ConfigError with one difference.
func differs(t testing.TB, err error, name, difference string) {
	t.Helper()
	var failed *ConfigError
	require.ErrorAs(t, err, &failed)
	require.Equal(t, name, failed.Name)
	require.Equal(t, []string{difference}, failed.Differences)
}

func TestOpen_reportsDifferencesOfStream(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	js, err := jetstream.New(connect(t, s.URL))
	require.NoError(t, err)
	for difference, change := range map[string]func(*jetstream.StreamConfig){
		"AllowDirect is false, not true":        func(c *jetstream.StreamConfig) { c.AllowDirect = false },
		"AllowBatchPublish is false, not true":  func(c *jetstream.StreamConfig) { c.AllowBatchPublish = false },
		"Retention is Interest, not Limits":     func(c *jetstream.StreamConfig) { c.Retention = jetstream.InterestPolicy },
		"Discard is DiscardNew, not DiscardOld": func(c *jetstream.StreamConfig) { c.Discard = jetstream.DiscardNew },
		"MaxMsgsPerSubject is 3, not 0":         func(c *jetstream.StreamConfig) { c.MaxMsgsPerSubject = 3 },
		"Subjects is [parley.>], not [parley.*.*]": func(c *jetstream.StreamConfig) {
			c.Subjects = []string{"parley.>"}
		},
		"SubjectTransform.Destination is , not parley.{{partition(16,1)}}.{{wildcard(1)}}.{{wildcard(2)}}": func(c *jetstream.StreamConfig) {
			c.SubjectTransform = nil
		},
	} {
		t.Run(difference, func(t *testing.T) {
			// The server deletes the files of a stream later, so one of the
			// same name could fail.
			c := Config{Storage: jetstream.MemoryStorage}.StreamConfig()
			change(&c)
			_, err := js.CreateStream(wiretest.Context(t), c)
			require.NoError(t, err)
			_, err = Open(wiretest.Context(t), js.Conn(), Config{})
			differs(t, err, "stream parley", difference)
			require.NoError(t, js.DeleteStream(wiretest.Context(t), "parley"))
		})
	}
}

func TestOpen_comparesFieldsThatAreSet(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	newBus(t, s.URL, Config{Partitions: 3, MaxAge: time.Minute})
	b := newBus(t, s.URL, Config{})
	require.Equal(t, 3, b.partitions)
	require.Equal(t, time.Minute, b.window)
	for difference, cfg := range map[string]Config{
		"Partitions is 3, not 4":          {Partitions: 4},
		"Replicas is 1, not 3":            {Replicas: 3},
		"MaxAge is 1m0s, not 1h0m0s":      {MaxAge: time.Hour},
		"MaxBytes is 0, not 1000":         {MaxBytes: 1000},
		"Duplicates is 1m0s, not 30s":     {DuplicateWindow: 30 * time.Second},
		"Storage is File, not Memory":     {Storage: jetstream.MemoryStorage},
		"Compression is None, not S2":     {Compression: jetstream.S2Compression},
		"Placement is { []}, not {a [b]}": {Placement: &jetstream.Placement{Cluster: "a", Tags: []string{"b"}}},
	} {
		t.Run(difference, func(t *testing.T) {
			_, err := Open(wiretest.Context(t), connect(t, s.URL), cfg)
			differs(t, err, "stream parley", difference)
		})
	}
}

func TestBus_createsBucketLikeItsStream(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for name, cfg := range map[string]Config{
		"memory":     {Storage: jetstream.MemoryStorage},
		"compressed": {Compression: jetstream.S2Compression},
	} {
		cfg.Prefix = name
		newBus(t, s.URL, cfg)
		b := newBus(t, s.URL, Config{Prefix: name})
		made, err := b.bucket(wiretest.Context(t), true)
		require.NoError(t, err)
		require.Equal(t, cfg.Storage, made.stream.CachedInfo().Config.Storage, name)
		require.Equal(t, cfg.Compression, made.stream.CachedInfo().Config.Compression, name)
	}
}

func TestBus_refusesBucketWithoutTTL(t *testing.T) {
	t.Parallel()
	b := newBus(t, newServer(t).URL, Config{})
	_, err := b.js.CreateKeyValue(wiretest.Context(t), jetstream.KeyValueConfig{Bucket: "parley"})
	require.NoError(t, err)
	for name, call := range map[string]func(ctx context.Context) error{
		"Work": func(ctx context.Context) error {
			return Work(ctx, b, GroupConfig{Name: "g"}, func(context.Context, Delivery) error { return nil })
		},
		"RunWithLease": func(ctx context.Context) error {
			return RunWithLease(ctx, b, room, LeaseConfig{}, func(context.Context) error { return nil })
		},
		"Holder": func(ctx context.Context) error { _, err := Holder(ctx, b, room); return err },
		"Remote": func(ctx context.Context) error {
			return (&Remote{Bus: b, ChatID: room, Deadline: 500 * time.Millisecond}).TypingStart(ctx, room)
		},
	} {
		t.Run(name, func(t *testing.T) {
			var failed *ConfigError
			require.ErrorAs(t, call(wiretest.Context(t)), &failed)
			require.Equal(t, "bucket parley", failed.Name)
		})
	}
}

func TestSubscribe_reportsOtherChatsOfDurable(t *testing.T) {
	t.Parallel()
	b := newBus(t, newServer(t).URL, Config{})
	one := SubscribeConfig{Durable: "reader", Chats: []events.ID{room, otherRoom, room}}
	subscribe(t, b, one)
	subscribe(t, b, one) // reopening it is no difference
	_, err := Subscribe(wiretest.Context(t), b, SubscribeConfig{Durable: "reader", Chats: []events.ID{room}})
	differs(t, err, "consumer feed-reader",
		"FilterSubjects is [parley.*.other-room.* parley.*.room.*], not [parley.*.room.*]")
}

func TestFeed_readsChatThatIsNamedTwice(t *testing.T) {
	t.Parallel()
	b := newBus(t, newServer(t).URL, Config{})
	fill(t, b, "room", "r", 1)
	feed := subscribe(t, b, SubscribeConfig{Chats: []events.ID{room, room}, Sequence: 1})
	tokens := feed.Tokens.Chan(wiretest.Context(t))
	running(t, feed.Run)
	require.Equal(t, token("room", "r", 0), wiretest.ReceiveFrom(t, tokens))
}
