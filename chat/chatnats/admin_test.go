package chatnats

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/require"
)

func TestGroups_listsAndRemovesReaders(t *testing.T) {
	t.Parallel()
	b := newBus(t, newServer(t).URL, Config{Partitions: 2})
	fill(t, b, "room", "r", 3)
	subscribe(t, b, SubscribeConfig{Durable: "late", Sequence: 1})
	active := subscribe(t, b, SubscribeConfig{Durable: "active", Sequence: 1, ManualAck: true})
	deliveries := active.Deliveries.Chan(wiretest.Context(t))
	running(t, active.Run)
	for range 3 {
		wiretest.ReceiveFrom(t, deliveries)
	}
	w := newGroupRecorder(t, b, GroupConfig{Name: "a-group", Sequence: 1})
	stop := w.worker("one")
	w.until(func(done []work) bool { return len(done) == 3 })
	stop()
	groups, err := Groups(wiretest.Context(t), b)
	require.NoError(t, err)
	require.Equal(t, []ReaderInfo{{Name: "a-group"}}, groups)
	durables, err := Durables(wiretest.Context(t), b)
	require.NoError(t, err)
	require.Equal(t, []ReaderInfo{{Name: "active", Unacknowledged: 3, Active: 1}, {Name: "late", Pending: 3}}, durables)

	require.NoError(t, RemoveGroup(wiretest.Context(t), b, "a-group"))
	require.ErrorIs(t, RemoveGroup(wiretest.Context(t), b, "a-group"), jetstream.ErrConsumerNotFound)
	require.NoError(t, RemoveDurable(wiretest.Context(t), b, "late"))
	require.ErrorIs(t, RemoveDurable(wiretest.Context(t), b, "late"), jetstream.ErrConsumerNotFound)
	groups, err = Groups(wiretest.Context(t), b)
	require.NoError(t, err)
	require.Empty(t, groups)
}

func TestBus_countsAndReportsHealth(t *testing.T) {
	t.Parallel()
	server := newServer(t)
	b := newBus(t, server.URL, Config{Partitions: 1})
	require.NoError(t, b.Health())
	fill(t, b, "room", "r", 3)
	dead := working(t, b, GroupConfig{MaxAttempts: 2}, func(_ context.Context, d Delivery) error {
		if d.Event.(events.AIToken).Index == 2 {
			return errBroken
		}
		return nil
	})
	wiretest.ReceiveFrom(t, dead)
	serveRoom(t, b, newHolder(t, newBackend(t, nil).URL))
	require.NoError(t, (&Remote{Bus: b, ChatID: room}).TypingStart(wiretest.Context(t), events.IntID(1)))
	require.Equal(t, Stats{Forwarded: 3, Handled: 2, Failed: 2, Dead: 1, Served: 1, Leases: 1}, b.Stats())
	server.Close()
	require.Eventually(t, func() bool { return b.Health() != nil }, patience, time.Millisecond)
	require.ErrorIs(t, b.Health(), nats.ErrDisconnected)
	require.ErrorIs(t, b.Ping(wiretest.Context(t)), nats.ErrDisconnected)
	b.conn.Close()
	require.ErrorIs(t, b.Health(), nats.ErrConnectionClosed)
}

func TestBus_reportsCauseOfClosedConnection(t *testing.T) {
	t.Parallel()
	server := newServer(t)
	conn, err := nats.Connect(server.URL, nats.NoReconnect())
	require.NoError(t, err)
	b, err := Open(wiretest.Context(t), conn, Config{})
	require.NoError(t, err)
	server.Close()
	require.Eventually(t, conn.IsClosed, patience, time.Millisecond)
	require.ErrorIs(t, b.Health(), nats.ErrConnectionClosed)
	require.Error(t, conn.LastError())
	require.ErrorIs(t, b.Health(), conn.LastError())
}

func TestBus_pingsStream(t *testing.T) {
	t.Parallel()
	b := newBus(t, newServer(t).URL, Config{})
	require.NoError(t, b.Ping(wiretest.Context(t)))
	require.NoError(t, b.js.DeleteStream(wiretest.Context(t), "parley"))
	require.ErrorIs(t, b.Ping(wiretest.Context(t)), jetstream.ErrStreamNotFound)
	require.NoError(t, b.Health())
}

func TestRunWithLease_limitsLeasesOfAnInstance(t *testing.T) {
	t.Parallel()
	server := newServer(t)
	held := make(chan *Bus, 10)
	var buses [2]*Bus
	for i := range buses {
		buses[i] = newBus(t, server.URL, Config{})
		for n := range 4 {
			running(t, func(ctx context.Context) error {
				cfg := LeaseConfig{TTL: time.Second, Max: 2}
				return RunWithLease(ctx, buses[i], events.StringID(fmt.Sprint("lease-", n)), cfg, func(ctx context.Context) error {
					held <- buses[i]
					<-ctx.Done()
					return nil
				})
			})
		}
	}
	count := map[*Bus]int{}
	for count[buses[0]] < 2 || count[buses[1]] < 2 { // a lease may be lost, and acquired again
		count[wiretest.ReceiveFrom(t, held)]++
		for _, b := range buses {
			require.LessOrEqual(t, b.Stats().Leases, 2)
		}
	}
}
