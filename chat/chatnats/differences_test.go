package chatnats

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
)

var elsewhere = &jetstream.Placement{Cluster: "a"}

func TestConfigError_listsEachDifference(t *testing.T) {
	t.Parallel()
	stream := func(change func(*jetstream.StreamConfig)) func(Config) error {
		return func(cfg Config) error {
			is := Config{}.StreamConfig()
			change(&is)
			_, err := checkStream(is, cfg)
			return err
		}
	}
	bucket := func(change func(*jetstream.StreamConfig)) func(Config) error {
		return func(cfg Config) error {
			is := jetstream.StreamConfig{AllowMsgTTL: true, SubjectDeleteMarkerTTL: time.Second, AllowDirect: true, Replicas: 1}
			change(&is)
			return checkBucket(is, cfg)
		}
	}
	consumer := func(change func(*jetstream.ConsumerConfig)) func(Config) error {
		return func(Config) error {
			need := jetstream.ConsumerConfig{
				Durable: "reader", FilterSubject: "a", AckPolicy: jetstream.AckAllPolicy, MaxAckPending: 1,
				PriorityPolicy: jetstream.PriorityPolicyPinned, PriorityGroups: []string{"g"},
			}
			is := need
			change(&is)
			return checkConsumer(is, need)
		}
	}
	none := func(*jetstream.StreamConfig) {}
	for difference, c := range map[string]struct {
		name  string
		cfg   Config
		check func(Config) error
	}{
		"NoAck is true, not false":  {"stream parley", Config{}, stream(func(c *jetstream.StreamConfig) { c.NoAck = true })},
		"Sealed is true, not false": {"stream parley", Config{}, stream(func(c *jetstream.StreamConfig) { c.Sealed = true })},
		"SubjectTransform.Source is a.*, not parley.*.*": {"stream parley", Config{}, stream(func(c *jetstream.StreamConfig) {
			c.SubjectTransform.Source = "a.*"
		})},
		"AllowMsgTTL is false, not true": {"bucket parley", Config{}, bucket(func(c *jetstream.StreamConfig) { c.AllowMsgTTL = false })},
		"LimitMarkerTTL is 0s, not above zero": {"bucket parley", Config{}, bucket(func(c *jetstream.StreamConfig) {
			c.SubjectDeleteMarkerTTL = 0
		})},
		"TTL is 1h0m0s, not 0s":          {"bucket parley", Config{}, bucket(func(c *jetstream.StreamConfig) { c.MaxAge = time.Hour })},
		"AllowDirect is false, not true": {"bucket parley", Config{}, bucket(func(c *jetstream.StreamConfig) { c.AllowDirect = false })},
		"Replicas is 1, not 3":           {"bucket parley", Config{Replicas: 3}, bucket(none)},
		"Storage is File, not Memory":    {"bucket parley", Config{Storage: jetstream.MemoryStorage}, bucket(none)},
		"Compression is None, not S2":    {"bucket parley", Config{Compression: jetstream.S2Compression}, bucket(none)},
		"Placement is { []}, not {a []}": {"bucket parley", Config{Placement: elsewhere}, bucket(none)},
		"FilterSubjects is [b], not [a]": {"consumer reader", Config{}, consumer(func(c *jetstream.ConsumerConfig) { c.FilterSubject = "b" })},
		"AckPolicy is AckNone, not AckAll": {"consumer reader", Config{}, consumer(func(c *jetstream.ConsumerConfig) {
			c.AckPolicy = jetstream.AckNonePolicy
		})},
		"MaxAckPending is 2, not 1": {"consumer reader", Config{}, consumer(func(c *jetstream.ConsumerConfig) { c.MaxAckPending = 2 })},
		"PriorityPolicy is 0, not 1": {"consumer reader", Config{}, consumer(func(c *jetstream.ConsumerConfig) {
			c.PriorityPolicy = jetstream.PriorityPolicyNone
		})},
		"PriorityGroups is [h], not [g]": {"consumer reader", Config{}, consumer(func(c *jetstream.ConsumerConfig) {
			c.PriorityGroups = []string{"h"}
		})},
	} {
		t.Run(c.name+": "+difference, func(t *testing.T) { differs(t, c.check(c.cfg), c.name, difference) })
	}
	require.NoError(t, stream(none)(Config{Replicas: 1, MaxAge: DefaultMaxAge}))
	require.NoError(t, bucket(none)(Config{Replicas: 1}))
	require.NoError(t, consumer(func(*jetstream.ConsumerConfig) {})(Config{}))
}
