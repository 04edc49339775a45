package bus_test

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed67206a74/parley/bus"
)

func TestPublish_reachesAllSubscriptionsInOrder(t *testing.T) {
	var topic bus.Topic[int]
	a, b := topic.Chan(t.Context()), topic.Chan(t.Context())
	for _, n := range numbers(0, 1000) {
		topic.Publish(n)
	}
	topic.Close()
	assert.Equal(t, numbers(0, 1000), rest(a))
	assert.Equal(t, numbers(0, 1000), rest(b))
}

func TestSubscribe_skipsEarlierValues(t *testing.T) {
	var topic bus.Topic[int]
	topic.Publish(1)
	c := topic.Chan(t.Context())
	topic.Publish(2)
	topic.Close()
	assert.Equal(t, []int{2}, rest(c))
}

func TestSubscription_keepsOrderAcrossOverflow(t *testing.T) {
	random := newRand()
	var topic bus.Topic[int]
	sub := topic.Subscribe(t.Context())
	var published, received int
	for range 300 {
		for range random.IntN(500) {
			topic.Publish(published)
			published++
		}
		for range random.IntN(published - received + 1) {
			require.Equal(t, received, <-sub.C())
			received++
		}
		if random.IntN(3) == 0 || published-received > 5000 {
			for ; received < published; received++ {
				require.Equal(t, received, <-sub.C())
			}
		}
	}
	topic.Close()
	assert.Equal(t, numbers(received, published), rest(sub.C()))
	assert.Zero(t, sub.Stats().Dropped)
}

func TestActive_isTrueWhileSubscriptionsExist(t *testing.T) {
	var topic bus.Topic[int]
	assert.False(t, topic.Active())
	a, b, c := topic.Subscribe(t.Context()), topic.Subscribe(t.Context()), topic.Subscribe(t.Context())
	b.Close()
	assert.True(t, topic.Active())
	a.Close()
	topic.Publish(1)
	assert.Equal(t, 1, <-c.C())
	c.Close()
	assert.False(t, topic.Active())
	topic.Subscribe(t.Context())
	topic.Close()
	assert.False(t, topic.Active())
}

func TestClose_doesNotAllocateWhenRepeated(t *testing.T) {
	var topic bus.Topic[int]
	topic.Subscribe(t.Context())
	sub := topic.Subscribe(t.Context())
	topic.Subscribe(t.Context())
	sub.Close()
	assert.Zero(t, testing.AllocsPerRun(10, sub.Close))
	topic.Close()
}

// The cost is counted in allocations.
func TestClose_costDoesNotGrowWithSubscriptions(t *testing.T) {
	var topic bus.Topic[int]
	defer topic.Close()
	var subs []*bus.Subscription[int]
	for range 5000 {
		subs = append(subs, topic.Subscribe(t.Context(), bus.Limit(1)))
	}
	oldest := 0
	assert.LessOrEqual(t, testing.AllocsPerRun(100, func() {
		subs[oldest].Close()
		oldest++
	}), 1.0)
}

func TestPublish_reachesSubscriptionsThatRemain(t *testing.T) {
	random := newRand()
	var topic bus.Topic[int]
	var open []*bus.Subscription[int]
	for n := range 2000 {
		if len(open) < 10 || random.IntN(2) == 0 {
			open = append(open, topic.Subscribe(t.Context(), bus.Limit(1)))
		} else {
			i := random.IntN(len(open))
			open[i].Close()
			open = slices.Delete(open, i, i+1)
		}
		topic.Publish(n)
		assert.Equal(t, len(open), topic.Stats().Subscriptions)
		for _, sub := range open {
			require.Equal(t, n, <-sub.C())
		}
	}
	topic.Close()
	assert.False(t, topic.Active())
}

func TestTopic_callsOnActiveForFirstAndLastSubscription(t *testing.T) {
	var active []bool
	topic := quiet[int]()
	topic.OnActive = func() { active = append(active, topic.Active()) }
	a := topic.Subscribe(t.Context())
	topic.Subscribe(t.Context(), bus.Limit(1))
	topic.Publish(0)
	a.Close()
	assert.Equal(t, []bool{true, true}, active)
	topic.Publish(1) // fails the other
	assert.Equal(t, []bool{true, true, false}, active)
	topic.Close()
	topic.Subscribe(t.Context())
	assert.Len(t, active, 3)
}

func TestNoBlock_refusesBlockingSubscription(t *testing.T) {
	topic := bus.Topic[int]{NoBlock: true}
	refused := topic.Subscribe(t.Context(), bus.OnOverflow(bus.Block))
	assert.Empty(t, rest(refused.C()))
	assert.ErrorIs(t, refused.Err(), bus.ErrNoBlock)
	topic.Subscribe(t.Context(), bus.OnOverflow(bus.DropOldest)).Close()
	assert.False(t, topic.Active())
}

func TestFail_removesSubscriptionFromTopic(t *testing.T) {
	topic := quiet[int]()
	topic.Subscribe(t.Context(), bus.Limit(1))
	topic.Publish(1)
	assert.True(t, topic.Active())
	topic.Publish(2)
	assert.False(t, topic.Active())
}

func TestTopic_onlyReplaysAfterClose(t *testing.T) {
	topic := bus.Topic[int]{Replay: 10}
	before := topic.Subscribe(t.Context())
	topic.Publish(1)
	topic.Close()
	topic.Close()
	topic.Publish(2)
	after := topic.Subscribe(t.Context())
	assert.Equal(t, []int{1}, rest(before.C()))
	assert.Equal(t, []int{1}, rest(after.C()))
	assert.ErrorIs(t, before.Err(), bus.ErrClosed)
	assert.ErrorIs(t, after.Err(), bus.ErrClosed)
}

func TestSource_subscribesToTopic(t *testing.T) {
	var topic bus.Topic[int]
	source := topic.Source()
	c, sub := source.Chan(t.Context()), source.Subscribe(t.Context(), bus.Limit(3))
	topic.Publish(1)
	assert.Equal(t, 1, <-c)
	assert.Equal(t, 1, <-sub.C())
	assert.Equal(t, 2, source.Stats().Subscriptions)
	assert.EqualValues(t, 2, source.Stats().Total.Delivered)
	topic.Close()
	assert.Empty(t, rest(c))
}

func TestSource_zeroValueReturnsClosedSubscription(t *testing.T) {
	var source bus.Source[int]
	assert.Zero(t, source.Stats())
	sub := source.Subscribe(t.Context())
	assert.Empty(t, rest(sub.C()))
	assert.ErrorIs(t, sub.Err(), bus.ErrClosed)
	assert.Empty(t, rest(source.Chan(t.Context())))
}

func TestTopic_allowsReaderToPublishSubscribeAndClose(t *testing.T) {
	var topic bus.Topic[int]
	sub := topic.Subscribe(t.Context())
	topic.Publish(0)
	var others []*bus.Subscription[int]
	for n := range sub.C() {
		others = append(others, topic.Subscribe(t.Context()))
		if n < 300 {
			topic.Publish(n + 1)
		} else {
			sub.Close()
		}
	}
	assert.Equal(t, 301, len(others))
	topic.Close()
	for i, other := range others {
		assert.Equal(t, numbers(i+1, 301), rest(other.C()))
	}
}

func TestPublish_doesNotAllocateForFastReaders(t *testing.T) {
	t.Run("int", func(t *testing.T) { noAllocations(t, 7) })
	t.Run("token", func(t *testing.T) { noAllocations(t, aToken(1)) })
}

func noAllocations[T any](t *testing.T, v T) {
	var topic bus.Topic[T]
	defer topic.Close()
	a, b := topic.Chan(t.Context()), topic.Chan(t.Context(), bus.OnOverflow(bus.Block))
	assert.Zero(t, testing.AllocsPerRun(1000, func() {
		topic.Publish(v)
		<-a
		<-b
	}))
}

func TestSubscription_startsNoGoroutineWhileReaderKeepsUp(t *testing.T) {
	before := runtime.NumGoroutine()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var topic bus.Topic[int]
	channels := make([]<-chan int, 100)
	for i := range channels {
		channels[i] = topic.Chan(ctx)
	}
	for n := range 200 {
		topic.Publish(n)
		for _, c := range channels {
			<-c
		}
	}
	assert.LessOrEqual(t, runtime.NumGoroutine(), before)
	topic.Close()
}

func TestPublish_keepsOrderPerPublisher(t *testing.T) {
	type value struct{ publisher, n int }
	var topic bus.Topic[value]
	c := topic.Chan(t.Context(), bus.Limit(1<<20))
	var wg sync.WaitGroup
	for p := range 4 {
		wg.Go(func() {
			for n := range 3000 {
				topic.Publish(value{p, n})
			}
		})
	}
	go func() { // ends when the publishers do
		wg.Wait()
		topic.Close()
	}()
	next := [4]int{}
	for v := range c {
		require.Equal(t, next[v.publisher], v.n)
		next[v.publisher]++
	}
	assert.Equal(t, [4]int{3000, 3000, 3000, 3000}, next)
}
