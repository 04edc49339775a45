package conn

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func packetOf(size int64) *outgoing { return &outgoing{size: size, written: make(chan error, 1)} }

func TestQueue_blocksPutWhileFull(t *testing.T) {
	for name, fill := range map[string][]int64{"by count": {1, 1, 1}, "by bytes": {6, 4}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := newQueue(3, 10)
				for _, size := range fill {
					require.NoError(t, q.put(t.Context(), packetOf(size)))
				}
				_, err := q.tryPut(packetOf(1))
				require.ErrorIs(t, err, ErrNotReady)
				ctx, cancel := context.WithCancel(t.Context())
				cancel()
				require.ErrorIs(t, q.put(ctx, packetOf(1)), context.Canceled)

				in := make(chan error)
				go func() { in <- q.put(t.Context(), packetOf(1)) }()
				synctest.Wait()
				taken := q.take()
				require.Len(t, taken, len(fill))
				synctest.Wait()
				select {
				case <-in:
					t.Fatal("put returned before the taken packets were written")
				default:
				}
				q.written(taken, nil)
				require.NoError(t, <-in)
				assert.NoError(t, <-taken[0].written)
				assert.Len(t, q.take(), 1)
			})
		})
	}
}

func TestQueue_acceptsOversizedPacketWhenEmpty(t *testing.T) {
	q := newQueue(3, 10)
	require.NoError(t, q.put(t.Context(), packetOf(100)))
	_, err := q.tryPut(packetOf(1))
	assert.ErrorIs(t, err, ErrNotReady)
}

func TestQueue_dropsWithdrawnPacket(t *testing.T) {
	q := newQueue(3, 10)
	first, second := packetOf(5), packetOf(5)
	require.NoError(t, q.put(t.Context(), first))
	require.NoError(t, q.put(t.Context(), second))
	assert.True(t, q.withdraw(first))
	assert.False(t, q.withdraw(first))
	third := packetOf(5)
	_, err := q.tryPut(third)
	require.NoError(t, err, "it has left its room")
	assert.Equal(t, []*outgoing{second, third}, q.take())
	assert.False(t, q.withdraw(second), "it is being written")
}

func TestQueue_failsBlockedPutOnClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(1, 10)
		require.NoError(t, q.put(t.Context(), packetOf(1)))
		in := make(chan error)
		go func() { in <- q.put(t.Context(), packetOf(1)) }()
		synctest.Wait()
		q.close()
		assert.ErrorIs(t, <-in, ErrSessionLost)
		taken := q.take()
		failure := errors.New("broken pipe")
		q.written(taken, failure)
		assert.ErrorIs(t, <-taken[0].written, failure)
	})
}
