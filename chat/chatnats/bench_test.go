package chatnats

import (
	"context"
	"crypto/rand"
	"fmt"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/require"
)

// load is one round of each side.
const load = 20_000

func loadToken(i int) events.AIToken {
	return token(fmt.Sprintf("room-%d", i%64), fmt.Sprintf("request-%d", i%64), i/64)
}

// BenchmarkVersusNATS compares two ways of sending the same tokens,
// alternately. One is from a topic through Forward and a Feed to a channel. The
// other sends finished messages with nats.go's asynchronous publishing, and
// receives them with a consumer and a callback. Both store, acknowledge and
// deduplicate all tokens, and deliver them in order.
func BenchmarkVersusNATS(b *testing.B) {
	server := newServer(b)
	var bare, ours, bareCPU, oursCPU time.Duration
	for round := range b.N {
		begun := cpuTime(b)
		bare += bareRound(b, server.URL, round)
		between := cpuTime(b)
		ours += ourRound(b, server.URL, round)
		bareCPU += between - begun
		oursCPU += cpuTime(b) - between
	}
	total := float64(b.N * load)
	b.ReportMetric(total/bare.Seconds(), "bare-events/s")
	b.ReportMetric(total/ours.Seconds(), "chatnats-events/s")
	b.ReportMetric(100*bare.Seconds()/ours.Seconds(), "%-of-bare")
	b.ReportMetric(100*oursCPU.Seconds()/bareCPU.Seconds(), "cpu-%-of-bare")
	b.ReportMetric(0, "ns/op")
}

// cpuTime returns the processor time of this process, server included.
func cpuTime(b *testing.B) time.Duration {
	var usage syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func bareRound(b *testing.B, url string, round int) time.Duration {
	n := newBus(b, url, Config{Prefix: fmt.Sprintf("bare-%d", round)}) // the same stream
	defer n.conn.Close()
	return bareRoundOver(b, n)
}

func bareRoundOver(b *testing.B, n *Bus) time.Duration {
	ctx := wiretest.Context(b)
	js, err := jetstream.New(n.conn, jetstream.WithPublishAsyncMaxPending(4096))
	require.NoError(b, err)
	defer func() { _ = js.DeleteStream(context.Background(), n.prefix) }()
	encoder := &encoder{bus: n, id: "bare"}
	messages := make([]*nats.Msg, load)
	for i := range messages {
		messages[i], err = encoder.encode(loadToken(i))
		require.NoError(b, err)
	}
	consumer, err := n.stream.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{})
	require.NoError(b, err)
	all, got := make(chan struct{}), 0
	consuming, err := consumer.Consume(func(jetstream.Msg) {
		if got++; got == load {
			close(all)
		}
	})
	require.NoError(b, err)
	defer consuming.Stop()

	begun := time.Now()
	for _, msg := range messages {
		_, err := js.PublishMsgAsync(msg, jetstream.WithStallWait(patience))
		require.NoError(b, err)
	}
	<-js.PublishAsyncComplete()
	<-all
	return time.Since(begun)
}

func ourRound(b *testing.B, url string, round int) time.Duration {
	n := newBus(b, url, Config{Prefix: fmt.Sprintf("ours-%d", round)})
	defer n.conn.Close()
	defer func() { _ = n.js.DeleteStream(context.Background(), n.prefix) }()
	return roundOver(b, n)
}

func roundOver(b *testing.B, n *Bus) time.Duration {
	ctx, cancel := context.WithCancel(wiretest.Context(b))
	defer cancel()
	feed := subscribe(b, n, SubscribeConfig{})
	got := feed.Events.Chan(ctx, bus.OnOverflow(bus.Block))
	var running sync.WaitGroup
	running.Go(func() { _ = feed.Run(ctx) }) // ends with ctx
	defer running.Wait()
	defer cancel()
	var topic bus.Topic[events.Event]
	forwarding, err := Forward(ctx, n, topic.Source(), ForwardConfig{})
	require.NoError(b, err)
	tokens := make([]events.Event, load)
	for i := range tokens {
		tokens[i] = loadToken(i)
	}

	begun := time.Now()
	running.Go(func() { // ends with its tokens
		for _, token := range tokens {
			topic.Publish(token)
		}
		topic.Close()
	})
	for range load {
		<-got
	}
	require.NoError(b, forwarding.Wait())
	return time.Since(begun)
}

// BenchmarkAnswer measures an answer of 40,000 tokens that is sent without a
// pause, read from a client's own stream and through NATS, alternately.
func BenchmarkAnswer(b *testing.B) {
	const tokens = 40_000
	server := newServer(b)
	backend := newBackend(b, func(_ context.Context, q events.UserMessage, emit func(events.Event)) {
		for i := range tokens {
			emit(token("room", q.RequestID, i))
		}
		emit(message("room", q.RequestID))
	})
	client := newHolder(b, backend.URL)
	serveRoom(b, newBus(b, server.URL, Config{}), client)
	remote := &Remote{Bus: newBus(b, server.URL, Config{}), ChatID: room}
	read := func(answer Answer, err error) time.Duration {
		begun := time.Now()
		require.NoError(b, err)
		got := 0
		for range answer.Tokens() {
			got++
		}
		require.Equal(b, tokens, got)
		return time.Since(begun)
	}
	var here, there time.Duration
	for range b.N {
		answer, err := client.Ask(wiretest.Context(b), ask)
		here += read(answer, err)
		through, err := remote.Ask(wiretest.Context(b), ask)
		there += read(through, err)
	}
	b.ReportMetric(float64(b.N*tokens)/here.Seconds(), "local-tokens/s")
	b.ReportMetric(float64(b.N*tokens)/there.Seconds(), "remote-tokens/s")
	b.ReportMetric(there.Seconds()/here.Seconds(), "times-local")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkFootprint measures the size of an event in the server: bytes of
// file, and bytes of memory if each event has a chat of its own.
func BenchmarkFootprint(b *testing.B) {
	var file, memory float64
	for range b.N {
		server := newServer(b)
		n := newBus(b, server.URL, Config{})
		ctx := holderOf(b, n, 1)
		heap := func() float64 {
			var stats runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&stats)
			return float64(stats.HeapAlloc)
		}
		before := heap()
		var topic bus.Topic[events.Event]
		f, err := Forward(ctx, n, topic.Source(), ForwardConfig{})
		require.NoError(b, err)
		for i := range load {
			t := token(fmt.Sprintf("room-%021d", i), rand.Text(), i)
			t.Token, t.TraceID = "seven..", "0123456789abcdef0123456789abcdef"
			topic.Publish(t)
		}
		topic.Close()
		require.NoError(b, f.Wait())
		memory += heap() - before
		info, err := n.stream.Info(wiretest.Context(b))
		require.NoError(b, err)
		file += float64(info.State.Bytes)
	}
	b.ReportMetric(file/float64(b.N*load), "file-bytes/event")
	b.ReportMetric(memory/float64(b.N*load), "memory-bytes/event")
	b.ReportMetric(0, "ns/op")
}
