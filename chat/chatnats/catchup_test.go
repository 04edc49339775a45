package chatnats

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/events"
	"github.com/stretchr/testify/require"
)

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

func TestForward_catchesUpAfterLostAcknowledgements(t *testing.T) {
	server := newServer(t)
	cut := newProxy(t, server.URL)
	b := newBus(t, cut.URL, Config{})
	var topic bus.Topic[events.Event]
	f, err := Forward(newContext(t), b, topic.Source(), ForwardConfig{})
	require.NoError(t, err)
	const before, during, after = 600, 7900, 1000
	for i := range before {
		topic.Publish(token("room", "r", i))
	}
	require.Eventually(t, func() bool { return f.Confirmed() == before }, patience, time.Millisecond)
	cut.down.Lock() // the stream stores, and its acknowledgements do not arrive
	time.AfterFunc(ackTimeout+ackTimeout/4, cut.down.Unlock)
	for i := range during {
		topic.Publish(token("room", "r", before+i))
	}
	for i := range after {
		topic.Publish(token("room", "r", before+during+i))
	}
	topic.Close()
	require.NoError(t, f.Wait())
	onceInOrder(t, newBus(t, server.URL, Config{}), before+during+after)
	require.EqualValues(t, before+during+after, f.Confirmed())
}

func TestForward_keepsNoSubscriptionOfLostBatches(t *testing.T) {
	server := newServer(t)
	cut := newProxy(t, server.URL)
	b := newBus(t, cut.URL, Config{})
	idle := b.conn.NumSubscriptions()
	var topic bus.Topic[events.Event]
	f, err := Forward(newContext(t), b, topic.Source(), ForwardConfig{})
	require.NoError(t, err)
	open := b.conn.NumSubscriptions()
	published := 0
	for range 3 {
		cut.down.Lock()
		for range 100 {
			topic.Publish(token("room", "r", published))
			published++
		}
		time.AfterFunc(ackTimeout+ackTimeout/4, cut.down.Unlock)
		require.Eventually(t, func() bool { return f.Confirmed() == uint64(published) }, patience, time.Millisecond)
	}
	require.LessOrEqual(t, b.conn.NumSubscriptions(), open+1, "besides that of nats.go's requests")
	topic.Close()
	require.NoError(t, f.Wait())
	require.LessOrEqual(t, b.conn.NumSubscriptions(), idle+1)
}

func TestForward_endsBeforeItWouldStoreAnEventTwice(t *testing.T) {
	server := newServer(t)
	cut := newProxy(t, server.URL)
	b := newBus(t, cut.URL, Config{DuplicateWindow: 4 * time.Second})
	var topic bus.Topic[events.Event]
	f, err := Forward(newContext(t), b, topic.Source(), ForwardConfig{Patience: 2900 * time.Millisecond})
	require.NoError(t, err)
	cut.down.Lock()
	for i := range 300 {
		topic.Publish(token("room", "r", i))
	}
	time.AfterFunc(5*time.Second, cut.down.Unlock) // after the window
	var failed *ForwardError
	require.ErrorAs(t, f.Wait(), &failed)
	require.ErrorIs(t, failed, ErrAway)
	require.Len(t, failed.Unconfirmed, 300)
	all := newBus(t, server.URL, Config{})
	info, err := all.stream.Info(newContext(t))
	require.NoError(t, err)
	require.NotZero(t, info.State.Msgs)
	onceInOrder(t, all, int(info.State.Msgs))
}

func TestForward_storesEventsOnceInOrderOverSlowNetwork(t *testing.T) {
	server := newServer(t)
	slow := newProxy(t, server.URL)
	slow.delay.Store(int64(5 * time.Millisecond))
	b := newBus(t, slow.URL, Config{})
	var topic bus.Topic[events.Event]
	f, err := Forward(newContext(t), b, topic.Source(), ForwardConfig{})
	require.NoError(t, err)
	for i := range 3000 {
		topic.Publish(token("room", "r", i))
	}
	topic.Close()
	require.NoError(t, f.Wait())
	onceInOrder(t, newBus(t, server.URL, Config{}), 3000)
}

// BenchmarkCatchUp measures how many events a second are stored after the
// acknowledgements of all of them were lost: until they have been sent again,
// recognised by the stream and confirmed, and as many new ones with them.
func BenchmarkCatchUp(b *testing.B) {
	var took time.Duration
	for round := range b.N {
		server := newServer(b)
		cut := newProxy(b, server.URL)
		n := newBus(b, cut.URL, Config{Prefix: fmt.Sprintf("catchup-%d", round)})
		var topic bus.Topic[events.Event]
		ctx, cancel := context.WithCancel(newContext(b))
		f, err := Forward(ctx, n, topic.Source(), ForwardConfig{Buffer: 2 * load})
		require.NoError(b, err)
		cut.down.Lock()
		for i := range load {
			topic.Publish(loadToken(i))
		}
		topic.Close()
		time.Sleep(ackTimeout + ackTimeout/4) // they count as lost
		cut.down.Unlock()
		begun := time.Now()
		require.NoError(b, f.Wait())
		took += time.Since(begun)
		cancel()
	}
	b.ReportMetric(float64(b.N*load)/took.Seconds(), "events/s")
	b.ReportMetric(0, "ns/op")
}
