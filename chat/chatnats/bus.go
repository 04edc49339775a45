package chatnats

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// A Bus is the stream with the events of all chats, over one NATS connection.
// It is safe for concurrent use.
type Bus struct {
	conn       *nats.Conn
	js         jetstream.JetStream
	stream     jetstream.Stream
	holders    holders
	cfg        Config // as given to Open
	prefix     string
	partitions int
	window     time.Duration // the stream's window for duplicates
	maxAge     time.Duration // of the stream's events; 0 for no limit
	limited    bool          // the stream drops events before that age
	ackTimeout time.Duration // without a reply, a batch is lost
	log        *slog.Logger

	count    counters
	leases   leaseWatch
	balancer balancer
	bucketMu sync.Mutex
	opened   *bucket // nil until it is used
}

// A bucket is the key-value bucket of leases and workers.
type bucket struct {
	jetstream.KeyValue
	stream jetstream.Stream
}

// apiTimeout limits a request to JetStream. A server that restarts may lose a
// request.
const apiTimeout = 2 * time.Second

// Open opens the stream of cfg.Prefix, and creates it if it does not exist. The
// bucket of that name is opened and compared by the first call that needs it,
// because a reader may have no permission for it. [RunWithLease] and [Work]
// create it if it does not exist.
//
// The caller closes the connection; it should reconnect without a limit
// (nats.MaxReconnects(-1)). Open returns a [*ConfigError] if the stream exists
// and differs, an error of JetStream, or one about an invalid field of cfg. ctx
// bounds only Open.
func Open(ctx context.Context, conn *nats.Conn, cfg Config) (*Bus, error) {
	js, err := jetstream.New(conn, jetstream.WithDefaultTimeout(apiTimeout))
	if err != nil {
		return nil, err
	}
	return OpenJetStream(ctx, js, cfg)
}

// OpenJetStream is [Open] for a JetStream with options, such as a domain
// ([jetstream.NewWithDomain]) or an API prefix.
func OpenJetStream(ctx context.Context, js jetstream.JetStream, cfg Config) (*Bus, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	if domain := js.Options().Domain; domain != "" {
		// jetstreamext builds another prefix of a domain than nats.go.
		prefixed, err := jetstream.NewWithAPIPrefix(js.Conn(), "$JS."+domain+".API", jetstream.WithDefaultTimeout(js.Options().DefaultTimeout))
		if err != nil {
			return nil, err
		}
		js = prefixed
	}
	full := cfg.withDefaults()
	b := &Bus{conn: js.Conn(), js: js, cfg: cfg, prefix: full.Prefix, ackTimeout: 2 * time.Second, log: full.Logger}
	var err error
	if b.stream, err = openStream(ctx, js, cfg); err != nil {
		return nil, fmt.Errorf("chatnats: stream %s: %w", b.prefix, err)
	}
	made := b.stream.CachedInfo().Config
	b.window, b.maxAge, b.limited = made.Duplicates, made.MaxAge, made.MaxBytes > 0 || made.MaxMsgs > 0
	if b.partitions, err = checkStream(made, cfg); err != nil {
		return nil, err
	}
	return b, nil
}

func openStream(ctx context.Context, js jetstream.JetStream, cfg Config) (jetstream.Stream, error) {
	want := cfg.StreamConfig()
	stream, err := js.Stream(ctx, want.Name)
	if !errors.Is(err, jetstream.ErrStreamNotFound) {
		return stream, err
	}
	stream, err = js.CreateStream(ctx, want)
	// Another instance may have created it meanwhile, with another Config.
	if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
		return js.Stream(ctx, want.Name)
	}
	return stream, err
}

// bucket returns the bucket. The first successful call opens it. If it does not
// exist, it is created, or the error is jetstream.ErrBucketNotFound.
func (b *Bus) bucket(ctx context.Context, create bool) (*bucket, error) {
	b.bucketMu.Lock()
	opened := b.opened
	b.bucketMu.Unlock()
	if opened != nil {
		return opened, nil
	}
	made, err := b.lookupBucket(ctx, create)
	// In a cluster, a server may not yet know a bucket that was just created.
	for begun := time.Now(); create && isMissing(err) && time.Since(begun) < createTimeout; {
		select {
		case <-time.After(firstPause):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		made, err = b.lookupBucket(ctx, create)
	}
	if err != nil {
		return nil, err
	}
	b.bucketMu.Lock()
	defer b.bucketMu.Unlock()
	b.opened = made
	return made, nil
}

// createTimeout limits how long a new bucket may be unknown to a server.
const createTimeout = 10 * time.Second

func isMissing(err error) bool {
	return errors.Is(err, jetstream.ErrBucketNotFound) || errors.Is(err, jetstream.ErrStreamNotFound)
}

// lookupBucket opens the bucket once, and checks it.
func (b *Bus) lookupBucket(ctx context.Context, create bool) (*bucket, error) {
	kv, err := b.openBucket(ctx, create)
	if err != nil {
		return nil, fmt.Errorf("chatnats: bucket %s: %w", b.prefix, err)
	}
	stream, err := b.js.Stream(ctx, "KV_"+b.prefix)
	if err != nil {
		return nil, fmt.Errorf("chatnats: bucket %s: %w", b.prefix, err)
	}
	if err := checkBucket(stream.CachedInfo().Config, b.cfg); err != nil {
		return nil, err
	}
	return &bucket{kv, stream}, nil
}

// kvSubject returns the subject to which a key is published.
func (b *Bus) kvSubject(key string) string {
	subject := "$KV." + b.prefix + "." + key
	if api := b.js.Options().APIPrefix; api != "" && api != jetstream.DefaultAPIPrefix {
		return strings.TrimSuffix(api, ".") + "." + subject
	}
	return subject
}

func (b *Bus) openBucket(ctx context.Context, create bool) (jetstream.KeyValue, error) {
	kv, err := b.js.KeyValue(ctx, b.prefix)
	if !create || !errors.Is(err, jetstream.ErrBucketNotFound) {
		return kv, err
	}
	// Another program may have created the stream, with other fields.
	cfg, stream := b.cfg, b.stream.CachedInfo().Config
	setDefault(&cfg.Replicas, stream.Replicas)
	setDefault(&cfg.Storage, stream.Storage)
	setDefault(&cfg.Compression, stream.Compression)
	setDefault(&cfg.Placement, stream.Placement)
	kv, err = b.js.CreateKeyValue(ctx, cfg.BucketConfig())
	if errors.Is(err, jetstream.ErrBucketExists) {
		return b.js.KeyValue(ctx, b.prefix)
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
