package chatnats

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/require"
	"github.com/synadia-io/orbit.go/jetstreamext"
)

// stored returns all messages of the stream, in order.
func stored(t testing.TB, b *Bus) (all []*jetstream.RawStreamMsg) {
	info, err := b.stream.Info(wiretest.Context(t))
	require.NoError(t, err)
	for next := info.State.FirstSeq; next <= info.State.LastSeq && info.State.Msgs > 0; {
		batch, err := jetstreamext.GetBatch(wiretest.Context(t), b.js, b.prefix, pull, jetstreamext.GetBatchSeq(next))
		require.NoError(t, err)
		for msg, err := range batch {
			require.NoError(t, err)
			all = append(all, msg)
			next = msg.Sequence + 1
		}
	}
	return all
}

func TestForward_setsSubjectAndHeaders(t *testing.T) {
	t.Parallel()
	b := newBus(t, newServer(t).URL, Config{Partitions: 4})
	var topic bus.Topic[events.Event]
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	f, err := Forward(ctx, b, topic.Source(), ForwardConfig{ChatID: events.IntID(7)})
	require.NoError(t, err)

	first := token("room-1", "r1", 3)
	first.TraceID = "trace\r\nNats-Rollup: all" // a backend's own text does not become a header
	topic.Publish(first)
	topic.Publish(message("room 2", "r2"))
	topic.Publish(events.Presence{OnlineUserIDs: []events.ID{events.StringID("u1")}})
	cancel()
	require.NoError(t, f.Wait())

	all := stored(t, b)
	require.Len(t, all, 3)
	require.Regexp(t, `^parley\.[0-3]\.room-1\.AI_TOKEN$`, all[0].Subject)
	require.Equal(t, "r1", all[0].Header.Get(HeaderRequest))
	require.Equal(t, `"trace\r\nNats-Rollup: all"`, all[0].Header.Get(HeaderTrace))
	require.Len(t, all[0].Header.Get(jetstream.MsgIDHeader), 22)
	require.Empty(t, all[0].Header.Get("Nats-Rollup"))

	for i, chat := range []events.ID{events.StringID("room-1"), events.StringID("room 2"), events.IntID(7)} {
		event, of, err := decode(all[i].Subject, all[i].Header, all[i].Data)
		require.NoError(t, err)
		require.Equal(t, chat, of)
		if i == 0 {
			require.Equal(t, first, event)
		}
	}
}

func TestForward_storesEventsOnceInOrder(t *testing.T) {
	t.Parallel()
	b := newBus(t, newServer(t).URL, Config{})
	const tokens = 3000
	for range 2 { // a second forwarder receives the same
		var topic bus.Topic[events.Event]
		f, err := Forward(t.Context(), b, topic.Source(), ForwardConfig{})
		require.NoError(t, err)
		for i := range tokens {
			topic.Publish(token(fmt.Sprintf("room-%d", i%7), "r", i))
		}
		topic.Close()
		require.NoError(t, f.Wait())
		require.EqualValues(t, tokens, f.Confirmed())
	}
	all := stored(t, b)
	require.Len(t, all, tokens)
	for i, msg := range all {
		event, _, err := decode(msg.Subject, msg.Header, msg.Data)
		require.NoError(t, err)
		require.Equal(t, i, event.(events.AIToken).Index)
	}
}

func TestForward_storesRepeatedEventWithoutIDTwice(t *testing.T) {
	t.Parallel()
	b := newBus(t, newServer(t).URL, Config{})
	var topic bus.Topic[events.Event]
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	f, err := Forward(ctx, b, topic.Source(), ForwardConfig{})
	require.NoError(t, err)
	status := events.AIProcessing{ChatID: events.StringID("room"), RequestID: "r", Status: events.StatusWorking}
	topic.Publish(status)
	topic.Publish(status)
	topic.Close()
	require.NoError(t, f.Wait(), "the end of the source is an end like any other")
	require.Len(t, stored(t, b), 2)
}

func TestForward_storesEventsOnceAcrossNATSRestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	server, err := Embedded(dir)
	require.NoError(t, err)
	b := newBus(t, server.URL, Config{})
	var topic bus.Topic[events.Event]
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	f, err := Forward(ctx, b, topic.Source(), ForwardConfig{Buffer: 500})
	require.NoError(t, err)
	const tokens = 4000
	published := make(chan int, tokens)
	go func() { // ends with its events
		for i := range tokens {
			topic.Publish(token("room", "r", i)) // blocks when the buffer is full
			published <- i
		}
	}()
	for wiretest.ReceiveFrom(t, published) < 200 {
	}
	server = restart(t, server, dir)
	defer server.Close()
	for wiretest.ReceiveFrom(t, published) < tokens-1 {
	}
	cancel()
	require.NoError(t, f.Wait())
	all := stored(t, b)
	require.Len(t, all, tokens)
	for i, msg := range all {
		event, _, err := decode(msg.Subject, msg.Header, msg.Data)
		require.NoError(t, err)
		require.Equal(t, i, event.(events.AIToken).Index)
	}
}

func TestForward_returnsUnconfirmedEventsOnTimeout(t *testing.T) {
	t.Parallel()
	server := newServer(t)
	b := newBus(t, server.URL, Config{})
	var topic bus.Topic[events.Event]
	f, err := Forward(t.Context(), b, topic.Source(), ForwardConfig{Buffer: 10, Patience: 3 * time.Second})
	require.NoError(t, err)
	topic.Publish(token("room", "r", 0))
	require.Eventually(t, func() bool { return f.Confirmed() == 1 }, patience, time.Millisecond)
	server.Close()
	for i := range 100 { // more than the buffer: Publish blocks until the end
		topic.Publish(token("room", "r", i+1))
	}
	var failed *ForwardError
	require.ErrorAs(t, f.Wait(), &failed)
	require.ErrorIs(t, failed, ErrAway)
	require.NotEmpty(t, failed.Unconfirmed)
	for i, event := range failed.Unconfirmed {
		require.Equal(t, token("room", "r", i+1), event)
	}
}

func TestForward_rejectsPatienceAboveDuplicateWindow(t *testing.T) {
	t.Parallel()
	b := newBus(t, newServer(t).URL, Config{DuplicateWindow: time.Minute})
	var topic bus.Topic[events.Event]
	_, err := Forward(t.Context(), b, topic.Source(), ForwardConfig{Patience: time.Minute})
	require.ErrorContains(t, err, "Patience")
}

func TestForward_failsAfterLostLease(t *testing.T) {
	t.Parallel()
	b := newBus(t, newServer(t).URL, Config{})
	var topic bus.Topic[events.Event]
	ctx, cancel := context.WithCancelCause(t.Context())
	f, err := Forward(ctx, b, topic.Source(), ForwardConfig{})
	require.NoError(t, err)
	cancel(ErrLeaseLost)
	var failed *ForwardError
	err = f.Wait()
	require.True(t, errors.As(err, &failed))
	require.ErrorIs(t, err, ErrLeaseLost)
}
