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
	o := newChunkQueue[int](new(sync.Pool))
	var model []int
	for n := range 100_000 {
		// Drifts up and down through several chunks and through empty.
		if up := n/2000%2 == 0; random.IntN(10) < 3 != up {
			o.push(&n)
			model = append(model, n)
		} else if o.size > 0 {
			require.Equal(t, model[0], *o.front())
			o.pop(1)
			model = model[1:]
		}
		require.Equal(t, len(model), o.size)
	}
}

func TestChunkQueue_clearsPoppedValues(t *testing.T) {
	o := newChunkQueue[*int](new(sync.Pool))
	for range 3 * chunkSize {
		v := new(int)
		o.push(&v)
	}
	var seen []*chunk[*int]
	for c := o.head; c != nil; c = c.after {
		seen = append(seen, c)
	}
	for o.size > 0 {
		o.pop(1)
	}
	require.Len(t, seen, 3)
	for _, c := range seen {
		assert.Equal(t, [chunkSize]*int{}, c.values)
	}
	assert.Nil(t, o.head.after)
}

func TestChunkQueue_doesNotAllocateInSteadyState(t *testing.T) {
	o := newChunkQueue[int](new(sync.Pool))
	for n := range 3 * chunkSize {
		o.push(&n)
	}
	cycle := func() {
		for n := range 2 * chunkSize {
			o.push(&n)
			o.pop(1)
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
		assert.Equal(t, newChunkQueue[int](&topic.pools.values), sub.overflow)
		assert.Zero(t, sub.state, "the short way again")
		topic.Close()
	})
}

// A map does not find NaN, and so cannot delete it.
func TestConflate_releasesSlotsOfNaNKeys(t *testing.T) {
	topic := Topic[float64]{Logger: slog.New(slog.DiscardHandler)}
	sub := topic.Subscribe(t.Context(), Limit(3), OnOverflow(DropOldest), Conflate(func(f float64) float64 { return f }))
	for range 100 {
		topic.Publish(math.NaN())
	}
	sub.mu.Lock()
	assert.LessOrEqual(t, len(sub.conflation.slots), 3)
	sub.mu.Unlock()
	sub.Close()
}
