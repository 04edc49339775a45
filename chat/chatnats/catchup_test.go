package chatnats

import (
	"testing"
	"time"

	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/require"
)

// shortAckTimeout replaces the timeout for acknowledgements.
const shortAckTimeout = 400 * time.Millisecond

// onceInOrder checks that the stream has the tokens of a request from 0 to
// n-1, each once and in order.
func onceInOrder(t testing.TB, b *Bus, n int) {
	t.Helper()
	all := stored(t, b)
	require.Len(t, all, n)
	for i, msg := range all {
		event, _, err := decode(msg.Subject, msg.Header, msg.Data)
		require.NoError(t, err)
		require.Equal(t, i, event.(events.AIToken).Index)
	}
}

// loseAcknowledgements publishes tokens until a batch is open, and 7,900 more
// whose acknowledgements do not arrive in time. It returns the number of
// tokens.
func loseAcknowledgements(b *Bus, topic *bus.Topic[events.Event], f *Forwarding, cut *proxy) (published int) {
	for ; f.Confirmed() < flow; published++ {
		topic.Publish(token("room", "r", published))
	}
	cut.down.Lock() // the stream stores, and its acknowledgements do not arrive
	time.AfterFunc(b.ackTimeout+b.ackTimeout/4, cut.down.Unlock)
	for range 7900 {
		topic.Publish(token("room", "r", published))
		published++
	}
	return published
}

func TestForward_catchesUpAfterLostAcknowledgements(t *testing.T) {
	t.Parallel()
	server := newServer(t)
	cut := newProxy(t, server.URL)
	b := newBus(t, cut.URL, Config{})
	b.ackTimeout = shortAckTimeout
	var topic bus.Topic[events.Event]
	f, err := Forward(wiretest.Context(t), b, topic.Source(), ForwardConfig{})
	require.NoError(t, err)
	published := loseAcknowledgements(b, &topic, f, cut)
	for range 1000 {
		topic.Publish(token("room", "r", published))
		published++
	}
	topic.Close()
	require.NoError(t, f.Wait())
	onceInOrder(t, newBus(t, server.URL, Config{}), published)
	require.EqualValues(t, published, f.Confirmed())
}

func TestForward_keepsNoSubscriptionOfLostBatches(t *testing.T) {
	t.Parallel()
	server := newServer(t)
	cut := newProxy(t, server.URL)
	b := newBus(t, cut.URL, Config{})
	b.ackTimeout = shortAckTimeout
	idle := b.conn.NumSubscriptions()
	var topic bus.Topic[events.Event]
	f, err := Forward(wiretest.Context(t), b, topic.Source(), ForwardConfig{})
	require.NoError(t, err)
	open := b.conn.NumSubscriptions()
	published := 0
	for range 3 {
		cut.down.Lock()
		for range 100 {
			topic.Publish(token("room", "r", published))
			published++
		}
		time.AfterFunc(b.ackTimeout+b.ackTimeout/4, cut.down.Unlock)
		require.Eventually(t, func() bool { return f.Confirmed() == uint64(published) }, patience, time.Millisecond)
	}
	require.LessOrEqual(t, b.conn.NumSubscriptions(), open+1, "besides that of nats.go's requests")
	topic.Close()
	require.NoError(t, f.Wait())
	require.LessOrEqual(t, b.conn.NumSubscriptions(), idle+1)
}

func TestForward_endsBeforeItWouldStoreAnEventTwice(t *testing.T) {
	t.Parallel()
	server := newServer(t)
	cut := newProxy(t, server.URL)
	b := newBus(t, cut.URL, Config{DuplicateWindow: 2 * time.Second})
	b.ackTimeout = shortAckTimeout
	var topic bus.Topic[events.Event]
	f, err := Forward(wiretest.Context(t), b, topic.Source(), ForwardConfig{Patience: 1400 * time.Millisecond})
	require.NoError(t, err)
	cut.down.Lock()
	for i := range 300 {
		topic.Publish(token("room", "r", i))
	}
	time.AfterFunc(3*time.Second, cut.down.Unlock) // after the window
	var failed *ForwardError
	require.ErrorAs(t, f.Wait(), &failed)
	require.ErrorIs(t, failed, ErrAway)
	require.Len(t, failed.Unconfirmed, 300)
	all := newBus(t, server.URL, Config{})
	info, err := all.stream.Info(wiretest.Context(t))
	require.NoError(t, err)
	require.NotZero(t, info.State.Msgs)
	onceInOrder(t, all, int(info.State.Msgs))
}

func TestForward_storesEventsOnceInOrderOverSlowNetwork(t *testing.T) {
	t.Parallel()
	server := newServer(t)
	slow := newProxy(t, server.URL)
	slow.delay.Store(int64(5 * time.Millisecond))
	b := newBus(t, slow.URL, Config{})
	var topic bus.Topic[events.Event]
	f, err := Forward(wiretest.Context(t), b, topic.Source(), ForwardConfig{})
	require.NoError(t, err)
	for i := range 3000 {
		topic.Publish(token("room", "r", i))
	}
	topic.Close()
	require.NoError(t, f.Wait())
	onceInOrder(t, newBus(t, server.URL, Config{}), 3000)
}

func TestForward_catchesUpAfterLeaderIsKilled(t *testing.T) {
	t.Parallel()
	nats := newCluster(t)
	b := nats.open(Config{Replicas: 3})
	var topic bus.Topic[events.Event]
	f, err := Forward(t.Context(), b, topic.Source(), ForwardConfig{})
	require.NoError(t, err)
	pace := time.NewTicker(2 * time.Millisecond) // 500 events a second
	defer pace.Stop()
	const all = 1500
	for i := range all {
		<-pace.C
		topic.Publish(token("room", "r", i))
		if i == all/3 {
			nats.nodes[nats.leader(b)].kill()
		}
	}
	topic.Close()
	require.NoError(t, f.Wait())
	onceInOrder(t, b, all)
}

// BenchmarkCatchUp measures the recovery of a forwarder that has lost the
// acknowledgements of 7,900 events. The time starts when acknowledgements
// arrive again, and ends when these events and as many new ones are confirmed.
func BenchmarkCatchUp(b *testing.B) {
	var took time.Duration
	all := 0
	for range b.N {
		server := newServer(b)
		cut := newProxy(b, server.URL)
		n := newBus(b, cut.URL, Config{})
		var topic bus.Topic[events.Event]
		f, err := Forward(wiretest.Context(b), n, topic.Source(), ForwardConfig{Buffer: 20_000})
		require.NoError(b, err)
		published := loseAcknowledgements(n, &topic, f, cut)
		confirmed := int(f.Confirmed())
		for range 7900 {
			topic.Publish(token("room", "r", published))
			published++
		}
		topic.Close()
		cut.down.RLock() // when they arrive again
		begun := time.Now()
		cut.down.RUnlock()
		require.NoError(b, f.Wait())
		took += time.Since(begun)
		all += published - confirmed
	}
	b.ReportMetric(float64(all)/took.Seconds(), "events/s")
	b.ReportMetric(0, "ns/op")
}
