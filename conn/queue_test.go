package conn

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func packetOf(size int64) *outgoing { return &outgoing{size: size} }

// fill puts packets in the queue.
func fill(t *testing.T, q *queue, packets ...*outgoing) {
	t.Helper()
	for _, o := range packets {
		writer, err := q.put(t.Context(), o, false)
		require.NoError(t, err)
		require.False(t, writer)
	}
}

func TestQueue_blocksPutWhileFull(t *testing.T) {
	for name, sizes := range map[string][]int64{"by count": {1, 1, 1}, "by bytes": {6, 4}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := newQueue(3, 10)
				for _, size := range sizes {
					fill(t, q, packetOf(size))
				}
				_, _, err := q.tryPut(packetOf(1), true)
				require.ErrorIs(t, err, ErrNotReady)
				ctx, cancel := context.WithCancel(t.Context())
				cancel()
				_, err = q.put(ctx, packetOf(1), true)
				require.ErrorIs(t, err, context.Canceled)

				in := make(chan error)
				go func() { _, err := q.put(t.Context(), packetOf(1), false); in <- err }()
				synctest.Wait()
				taken := q.take()
				require.Len(t, taken.items, len(sizes))
				synctest.Wait()
				select {
				case <-in:
					t.Fatal("put returned before the taken packets were written")
				default:
				}
				q.wrote(taken.items, nil, false)
				require.NoError(t, <-in)
				<-taken.items[0].sent.done
				assert.NoError(t, taken.items[0].sent.err)
				assert.Len(t, q.take().items, 1)
			})
		})
	}
}

func TestQueue_acceptsOversizedPacketWhenEmpty(t *testing.T) {
	q := newQueue(3, 10)
	fill(t, q, packetOf(100))
	_, _, err := q.tryPut(packetOf(1), false)
	assert.ErrorIs(t, err, ErrNotReady)
}

func TestQueue_dropsWithdrawnPacket(t *testing.T) {
	q := newQueue(3, 10)
	first, second, third := packetOf(5), packetOf(5), packetOf(5)
	fill(t, q, first, second)
	assert.True(t, q.withdraw(first))
	assert.False(t, q.withdraw(first))
	fill(t, q, third) // the room of the first
	assert.Equal(t, []*outgoing{second, third}, q.take().items)
	assert.False(t, q.withdraw(second), "it is being written")
}

func TestQueue_failsBlockedPutOnClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(1, 10)
		fill(t, q, packetOf(1))
		in := make(chan error)
		go func() { _, err := q.put(t.Context(), packetOf(1), true); in <- err }()
		synctest.Wait()
		q.close()
		assert.ErrorIs(t, <-in, ErrSessionLost)
		taken := q.take()
		failure := errors.New("broken pipe")
		q.wrote(taken.items, failure, false)
		<-taken.items[0].sent.done
		assert.ErrorIs(t, taken.items[0].sent.err, failure)
	})
}

func TestQueue_hasOneWriter(t *testing.T) {
	q := newQueue(10, 100)
	first, second, third := packetOf(1), packetOf(1), packetOf(1)
	writer, err := q.put(t.Context(), first, true)
	require.NoError(t, err)
	require.True(t, writer, "no other packet waits")
	fill(t, q, second)
	writer, err = q.put(t.Context(), third, true)
	require.NoError(t, err)
	require.False(t, writer, "there is a writer")
	assert.Nil(t, q.take(), "the session's goroutine is not the writer")

	require.True(t, q.wrote(first.alone(), nil, true), "packets arrived meanwhile")
	batch := q.gather()
	assert.Equal(t, []*outgoing{second, third}, batch)
	assert.False(t, q.wrote(batch, nil, true), "no packet waits")
	writer, err = q.put(t.Context(), first, true)
	require.NoError(t, err)
	assert.True(t, writer)
}

func TestQueue_gathersPacketsOfConcurrentSenders(t *testing.T) {
	q := newQueue(10, 100)
	put := func() *outgoing {
		o := packetOf(1)
		writer, err := q.put(t.Context(), o, true)
		require.NoError(t, err)
		require.True(t, writer)
		return o
	}
	fill(t, q, packetOf(1), packetOf(1))
	q.wrote(q.take().items, nil, false)
	first, second := put(), packetOf(1)
	fill(t, q, second)
	batch := q.gather()
	assert.Equal(t, []*outgoing{first, second}, batch, "the last write was of several packets, too")
	q.wrote(batch, nil, false)

	third := put()
	assert.Equal(t, []*outgoing{third}, q.gather())
	q.wrote(third.alone(), nil, false)
	assert.Nil(t, put().sent, "the last write was of one packet, so the next is written alone")
}

func TestQueue_keepsOrderOfPutBackPackets(t *testing.T) {
	q := newQueue(10, 100)
	first, second, third := packetOf(1), packetOf(1), packetOf(1)
	_, err := q.put(t.Context(), first, true)
	require.NoError(t, err)
	fill(t, q, second)
	q.putBack(first.alone())
	writer, err := q.put(t.Context(), third, true)
	require.NoError(t, err)
	require.False(t, writer, "packets wait")
	taken := q.take()
	assert.Equal(t, []*outgoing{first, second, third}, taken.items)
	q.wrote(taken.items, nil, false)
	for _, o := range taken.items {
		<-o.sent.done
	}
}

func TestQueue_handsUnfinishedWriteToSession(t *testing.T) {
	q := newQueue(10, 100)
	first, second := packetOf(1), packetOf(1)
	_, err := q.put(t.Context(), first, true)
	require.NoError(t, err)
	fill(t, q, second)
	q.handOver(first.alone(), nil)
	assert.False(t, q.withdraw(first), "the socket has a part of it")
	assert.True(t, q.withdraw(second))

	q.close()
	rest := q.takeAll()
	assert.True(t, rest.begun)
	assert.Equal(t, []*outgoing{first}, rest.items)
	q.wrote(rest.items, nil, false)
	<-first.sent.done
	assert.Empty(t, q.takeAll().items)
}
