package chatnats

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/require"
)

// BenchmarkLatency measures two latencies, alternately. One is that of a single
// token from a topic through Forward and a Feed to a channel. The other is that
// of a finished message from an acknowledged publish of nats.go to the callback
// of a consumer.
func BenchmarkLatency(b *testing.B) {
	server := newServer(b)
	latency(b, newBus(b, server.URL, Config{}), newBus(b, server.URL, Config{Prefix: "bare"}))
}

// BenchmarkReplicasLatency is BenchmarkLatency over streams with three copies
// on three servers, each a process.
func BenchmarkReplicasLatency(b *testing.B) {
	c := newCluster(b)
	latency(b, c.open(Config{Replicas: 3}), c.open(Config{Replicas: 3, Prefix: "bare"}))
}

func latency(b *testing.B, n, plain *Bus) {
	const tokens = 500 // a round
	ctx, cancel := context.WithCancel(wiretest.Context(b))
	defer cancel()
	feed := subscribe(b, n, SubscribeConfig{})
	got := feed.Tokens.Chan(ctx)
	running(b, feed.Run)
	var topic bus.Topic[events.Event]
	forwarding(b, n, &topic)
	consumer, err := plain.stream.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{})
	require.NoError(b, err)
	arrived := make(chan struct{}, 1)
	consuming, err := consumer.Consume(func(jetstream.Msg) { arrived <- struct{}{} })
	require.NoError(b, err)
	defer consuming.Stop()
	encoder := &encoder{bus: plain, id: "bare"}
	var ours, bare []time.Duration
	for round := range b.N {
		for i := range tokens {
			begun := time.Now()
			topic.Publish(token("room", fmt.Sprint("r", round), i))
			<-got
			ours = append(ours, time.Since(begun))
			msg, err := encoder.encode(token("room", fmt.Sprint("r", round), i))
			require.NoError(b, err)
			begun = time.Now()
			_, err = plain.js.PublishMsg(ctx, msg)
			require.NoError(b, err)
			<-arrived
			bare = append(bare, time.Since(begun))
		}
	}
	for name, all := range map[string][]time.Duration{"chatnats": ours, "bare": bare} {
		slices.Sort(all)
		b.ReportMetric(float64(all[len(all)/2].Microseconds()), name+"-p50-us")
		b.ReportMetric(float64(all[len(all)*99/100].Microseconds()), name+"-p99-us")
	}
	b.ReportMetric(0, "ns/op")
}

// BenchmarkReplicas is BenchmarkVersusNATS over streams with three copies on
// three servers, each a process.
func BenchmarkReplicas(b *testing.B) {
	c := newCluster(b)
	var bare, ours time.Duration
	for round := range b.N {
		n := c.open(Config{Prefix: fmt.Sprintf("bare-%d", round), Replicas: 3})
		bare += bareRoundOver(b, n)
		n = c.open(Config{Prefix: fmt.Sprintf("replicas-%d", round), Replicas: 3})
		ours += roundOver(b, n)
		_ = n.js.DeleteStream(context.Background(), n.prefix)
	}
	total := float64(b.N * load)
	b.ReportMetric(total/bare.Seconds(), "bare-events/s")
	b.ReportMetric(total/ours.Seconds(), "chatnats-events/s")
	b.ReportMetric(100*bare.Seconds()/ours.Seconds(), "%-of-bare")
	b.ReportMetric(0, "ns/op")
}
