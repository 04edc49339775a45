package chatnats

import (
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Defaults of [Config].
const (
	DefaultPrefix          = "parley"
	DefaultPartitions      = 16
	DefaultMaxAge          = time.Hour
	DefaultDuplicateWindow = 2 * time.Minute
)

// A Config names the stream and the bucket, and has the settings with which
// they are created. If they exist, they are not changed, but compared with the
// fields that are not zero. [Open] returns a [*ConfigError] if the stream
// differs, and the first call that needs the bucket returns one if that
// differs.
type Config struct {
	// Prefix is the first token of every subject, and the name of the stream
	// and of the key-value bucket: letters, digits, - and _.
	// Default: DefaultPrefix.
	Prefix string

	// Partitions is how many parts the chats are spread over. At most that many
	// workers of a group have work. Default: DefaultPartitions.
	Partitions int

	// Replicas is how many NATS servers store each event. Default: 1.
	Replicas int

	// MaxAge is how long events are kept. Default: DefaultMaxAge.
	MaxAge time.Duration

	// MaxBytes is how many bytes of events are kept; the oldest are dropped.
	// With a limit, the stream may drop the record of a tenure, which the
	// holder then repeats. So an instance waits for the TTL before it takes a
	// lease that has no record. Default: 0, no limit.
	MaxBytes int64

	// DuplicateWindow is how long the stream remembers an event's id and drops
	// repetitions. Default: DefaultDuplicateWindow, or MaxAge if that is less.
	DuplicateWindow time.Duration

	// Storage is where the servers keep the stream and the bucket. Default:
	// jetstream.FileStorage.
	Storage jetstream.StorageType

	// Compression is that of the files of the stream and of the bucket.
	// Default: none.
	Compression jetstream.StoreCompression

	// Placement selects the servers of the stream and of the bucket. Default:
	// any.
	Placement *jetstream.Placement

	// Logger logs problems that no call returns. Default: slog.Default().
	Logger *slog.Logger
}

var validPrefix = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

func (c Config) withDefaults() Config {
	setDefault(&c.Prefix, DefaultPrefix)
	setDefault(&c.Partitions, DefaultPartitions)
	setDefault(&c.Replicas, 1)
	setDefault(&c.MaxAge, DefaultMaxAge)
	setDefault(&c.DuplicateWindow, min(DefaultDuplicateWindow, c.MaxAge))
	setDefault(&c.Logger, slog.Default())
	return c
}

func (c Config) check() error {
	switch {
	case c.Prefix != "" && !validPrefix.MatchString(c.Prefix):
		return fmt.Errorf("chatnats: Config.Prefix %q has more than letters, digits, - and _", c.Prefix)
	case c.Partitions < 0:
		return errors.New("chatnats: Config.Partitions is negative")
	}
	return nil
}

// setDefault sets a field that is zero.
func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// StreamConfig returns the configuration with which [Open] creates the stream.
// An operator can create the stream with it, and change fields that the package
// does not need.
func (c Config) StreamConfig() jetstream.StreamConfig {
	c = c.withDefaults()
	return jetstream.StreamConfig{
		Name:     c.Prefix,
		Subjects: []string{c.Prefix + ".*.*"},
		// The server computes the partition of a chat when it stores an event.
		SubjectTransform: &jetstream.SubjectTransformConfig{
			Source:      c.Prefix + ".*.*",
			Destination: fmt.Sprintf(transform, c.Prefix, c.Partitions),
		},
		Replicas:          c.Replicas,
		MaxAge:            c.MaxAge,
		MaxBytes:          max(c.MaxBytes, 0),
		Duplicates:        min(c.DuplicateWindow, c.MaxAge),
		Storage:           c.Storage,
		Compression:       c.Compression,
		Placement:         c.Placement,
		AllowDirect:       true,
		AllowBatchPublish: true,
	}
}

const transform = "%s.{{partition(%d,1)}}.{{wildcard(1)}}.{{wildcard(2)}}"

// BucketConfig returns the configuration with which the bucket of leases and
// workers is created.
func (c Config) BucketConfig() jetstream.KeyValueConfig {
	c = c.withDefaults()
	return jetstream.KeyValueConfig{
		Bucket:         c.Prefix,
		Replicas:       c.Replicas,
		Storage:        c.Storage,
		Compression:    c.Compression == jetstream.S2Compression,
		Placement:      c.Placement,
		LimitMarkerTTL: time.Second, // enables a TTL for each key
	}
}
