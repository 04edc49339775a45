package bus

import (
	"log/slog"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestChunkQueue_popsInPushOrder(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	q := newChunkQueue[int](new(sync.Pool))
	var model []int
	for n := range 100_000 {
		// Grows and shrinks over several chunks, and becomes empty.
		if up := n/2000%2 == 0; random.IntN(10) < 3 != up {
			q.push(&n)
			model = append(model, n)
		} else if q.size > 0 {
			require.Equal(t, model[0], *q.front())
			q.pop(1)
			model = model[1:]
		}
		require.Equal(t, len(model), q.size)
	}
}

func TestChunkQueue_clearsPoppedValues(t *testing.T) {
	q := newChunkQueue[*int](new(sync.Pool))
	for range 3 * chunkSize {
		v := new(int)
		q.push(&v)
	}
	var seen []*chunk[*int]
	for c := q.head; c != nil; c = c.after {
		seen = append(seen, c)
	}
	for q.size > 0 {
		q.pop(1)
	}
	require.Len(t, seen, 3)
	for _, c := range seen {
		assert.Equal(t, [chunkSize]*int{}, c.values)
	}
	assert.Nil(t, q.head.after)
}

func TestChunkQueue_doesNotAllocateInSteadyState(t *testing.T) {
	q := newChunkQueue[int](new(sync.Pool))
	for n := range 3 * chunkSize {
		q.push(&n)
	}
	cycle := func() {
		for n := range 2 * chunkSize {
			q.push(&n)
			q.pop(1)
		}
	}
	cycle()
	assert.Zero(t, testing.AllocsPerRun(100, cycle))
}

func TestSubscription_releasesChunksAfterCatchingUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var topic Topic[int]
		sub := topic.Subscribe(t.Context())
		for n := range 1000 {
			topic.Publish(n)
		}
		for range 1000 {
			<-sub.C()
		}
		synctest.Wait()
		assert.Equal(t, newChunkQueue[int](&topic.pools.values), sub.backlog.values)
		assert.Zero(t, sub.state, "back on the fast path")
		topic.Close()
	})
}

// A map does not find NaN, so it cannot delete such a key.
func TestConflate_releasesSlotsOfNaNKeys(t *testing.T) {
	topic := Topic[float64]{Logger: slog.New(slog.DiscardHandler)}
	sub := topic.Subscribe(t.Context(), Limit(3), OnOverflow(DropOldest), Conflate(func(f float64) float64 { return f }))
	for range 100 {
		topic.Publish(math.NaN())
	}
	sub.mu.Lock()
	assert.LessOrEqual(t, len(sub.backlog.slots), 3)
	sub.mu.Unlock()
	sub.Close()
}
