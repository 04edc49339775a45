package chatnats

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Defaults of [Config].
const (
	DefaultPrefix          = "parley"
	DefaultPartitions      = 16
	DefaultMaxAge          = time.Hour
	DefaultDuplicateWindow = 2 * time.Minute
)

// A Config names the stream and has the settings with which it is created. An
// existing stream is not changed.
type Config struct {
	// Prefix is the first token of every subject, and the name of the stream
	// and of the key-value bucket: letters, digits, - and _.
	// Default: DefaultPrefix.
	Prefix string

	// Partitions is how many parts the chats are spread over. At most that many
	// workers of a group have work. For an existing stream it must be the
	// number that it was created with, or 0. Default: DefaultPartitions.
	Partitions int

	// Replicas is how many NATS servers store each event. Default: 1.
	Replicas int

	// MaxAge is how long events are kept. Default: DefaultMaxAge.
	MaxAge time.Duration

	// MaxBytes is how many bytes of events are kept; the oldest are dropped.
	// Default: 0, no limit.
	MaxBytes int64

	// DuplicateWindow is how long the stream remembers an event's id and drops
	// repetitions. Default: DefaultDuplicateWindow.
	DuplicateWindow time.Duration

	// Logger logs problems that no call returns. Default: slog.Default().
	Logger *slog.Logger
}

var validPrefix = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

func (c Config) withDefaults() (Config, error) {
	setDefault(&c.Prefix, DefaultPrefix)
	setDefault(&c.Replicas, 1)
	setDefault(&c.MaxAge, DefaultMaxAge)
	setDefault(&c.DuplicateWindow, DefaultDuplicateWindow)
	setDefault(&c.Logger, slog.Default())
	switch {
	case !validPrefix.MatchString(c.Prefix):
		return c, fmt.Errorf("chatnats: Config.Prefix %q has more than letters, digits, - and _", c.Prefix)
	case c.Partitions < 0:
		return c, errors.New("chatnats: Config.Partitions is negative")
	}
	return c, nil
}

// setDefault sets a field that is zero.
func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// A Bus is the stream with the events of all chats, over one NATS connection.
// It is safe for concurrent use.
type Bus struct {
	conn       *nats.Conn
	js         jetstream.JetStream
	stream     jetstream.Stream
	kv         jetstream.KeyValue
	holders    holders
	prefix     string
	partitions int
	window     time.Duration // the stream's window for duplicates
	log        *slog.Logger
}

// metaPartitions is the key of the number of partitions in the stream's
// metadata.
const metaPartitions = "parley.partitions"

// Open opens the stream and the bucket of cfg.Prefix, and creates them if they
// do not exist. The caller closes the connection; it should reconnect without a
// limit (nats.MaxReconnects(-1)). Open returns an error of JetStream, or one
// about an invalid field of cfg. ctx bounds only Open.
func Open(ctx context.Context, conn *nats.Conn, cfg Config) (*Bus, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	js, err := jetstream.New(conn)
	if err != nil {
		return nil, err
	}
	b := &Bus{conn: conn, js: js, prefix: cfg.Prefix, log: cfg.Logger}
	if b.stream, err = openStream(ctx, js, cfg); err != nil {
		return nil, fmt.Errorf("chatnats: stream %s: %w", cfg.Prefix, err)
	}
	made := b.stream.CachedInfo().Config
	b.window = made.Duplicates
	if b.partitions, err = strconv.Atoi(made.Metadata[metaPartitions]); err != nil {
		return nil, fmt.Errorf("chatnats: stream %s was not made by this package", cfg.Prefix)
	}
	if cfg.Partitions != 0 && cfg.Partitions != b.partitions {
		return nil, fmt.Errorf("chatnats: stream %s has %d partitions, not %d", cfg.Prefix, b.partitions, cfg.Partitions)
	}
	if b.kv, err = openBucket(ctx, js, cfg); err != nil {
		return nil, fmt.Errorf("chatnats: bucket %s: %w", cfg.Prefix, err)
	}
	return b, nil
}

func openStream(ctx context.Context, js jetstream.JetStream, cfg Config) (jetstream.Stream, error) {
	stream, err := js.Stream(ctx, cfg.Prefix)
	if !errors.Is(err, jetstream.ErrStreamNotFound) {
		return stream, err
	}
	setDefault(&cfg.Partitions, DefaultPartitions)
	stream, err = js.CreateStream(ctx, jetstream.StreamConfig{
		Name:     cfg.Prefix,
		Subjects: []string{cfg.Prefix + ".*.*"},
		// The server computes the partition of a chat when it stores an event.
		SubjectTransform: &jetstream.SubjectTransformConfig{
			Source:      cfg.Prefix + ".*.*",
			Destination: fmt.Sprintf("%s.{{partition(%d,1)}}.{{wildcard(1)}}.{{wildcard(2)}}", cfg.Prefix, cfg.Partitions),
		},
		Metadata:          map[string]string{metaPartitions: strconv.Itoa(cfg.Partitions)},
		Replicas:          cfg.Replicas,
		MaxAge:            cfg.MaxAge,
		MaxBytes:          max(cfg.MaxBytes, 0),
		Duplicates:        min(cfg.DuplicateWindow, cfg.MaxAge),
		AllowDirect:       true,
		AllowBatchPublish: true,
	})
	// Another instance may have created it meanwhile, with another Config.
	if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
		return js.Stream(ctx, cfg.Prefix)
	}
	return stream, err
}

func openBucket(ctx context.Context, js jetstream.JetStream, cfg Config) (jetstream.KeyValue, error) {
	kv, err := js.KeyValue(ctx, cfg.Prefix)
	if !errors.Is(err, jetstream.ErrBucketNotFound) {
		return kv, err
	}
	kv, err = js.CreateKeyValue(ctx, jetstream.KeyValueConfig{
		Bucket:         cfg.Prefix,
		Replicas:       cfg.Replicas,
		LimitMarkerTTL: time.Second, // enables a TTL for each key
	})
	if errors.Is(err, jetstream.ErrBucketExists) {
		return js.KeyValue(ctx, cfg.Prefix)
	}
	return kv, err
}

// lastSequence returns the sequence of the newest event in the stream.
func (b *Bus) lastSequence(ctx context.Context) (uint64, error) {
	info, err := b.stream.Info(ctx)
	if err != nil {
		return 0, err
	}
	return info.State.LastSeq, nil
}
