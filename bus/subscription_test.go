package bus_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed67206a74/parley/bus"
)

func TestErr_isNilUntilClose(t *testing.T) {
	var topic bus.Topic[int]
	sub := topic.Subscribe(t.Context())
	topic.Publish(1)
	assert.NoError(t, sub.Err())
	sub.Close()
	assert.ErrorIs(t, sub.Err(), bus.ErrClosed)
}

func TestSubscribe_returnsClosedSubscriptionForCanceledContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	topic := bus.Topic[int]{Replay: 1}
	topic.Publish(1)
	sub := topic.Subscribe(ctx)
	assert.Empty(t, rest(sub.C()))
	assert.ErrorIs(t, sub.Err(), context.Canceled)
	assert.False(t, topic.Active())
}

func TestSubscription_buffersAtMost128Values(t *testing.T) {
	var topic bus.Topic[int]
	for _, policy := range []bus.Policy{bus.Fail, bus.Block, bus.DropOldest, bus.DropNewest} {
		for _, limit := range []int{1, 127, 128, 129, bus.DefaultLimit} {
			sub := topic.Subscribe(t.Context(), bus.OnOverflow(policy), bus.Limit(limit))
			assert.LessOrEqual(t, cap(sub.C()), min(limit, 128), "%v, %d", policy, limit)
		}
	}
	assert.Equal(t, 128, cap(topic.Chan(t.Context())))
	topic.Close()
}

// spilled returns a subscription with 1000 pending values: 128 in the channel,
// and the others in the backlog.
func spilled(ctx context.Context, topic *bus.Topic[int], opts ...bus.Option) *bus.Subscription[int] {
	sub := topic.Subscribe(ctx, opts...)
	for n := range 1000 {
		topic.Publish(n)
	}
	synctest.Wait()
	return sub
}

func TestClose_keepsBufferedValuesAndDropsRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var topic bus.Topic[int]
		sub := spilled(t.Context(), &topic)
		sub.Close()
		assert.Equal(t, bus.Stats{Dropped: 872, Pending: 128, HighWater: 1000}, sub.Stats())
		topic.Publish(-1)
		assert.Equal(t, numbers(0, 128), rest(sub.C()))
		assert.Equal(t, bus.Stats{Delivered: 128, Dropped: 872, HighWater: 1000}, sub.Stats())
	})
}

func TestSubscribe_keepsBufferedValuesOnContextCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var topic bus.Topic[int]
		ctx, cancel := context.WithCancel(t.Context())
		sub := spilled(ctx, &topic)
		cancel()
		synctest.Wait()
		assert.ErrorIs(t, sub.Err(), context.Canceled)
		assert.False(t, topic.Active())
		assert.Equal(t, numbers(0, 128), rest(sub.C()))
		assert.EqualValues(t, 872, sub.Stats().Dropped)
	})
}

func TestTopic_deliversAllPendingValuesAfterClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var topic bus.Topic[int]
		sub := spilled(t.Context(), &topic)
		topic.Close()
		topic.Publish(-1)
		assert.ErrorIs(t, sub.Err(), bus.ErrClosed)
		assert.Equal(t, numbers(0, 1000), rest(sub.C()))
		assert.Equal(t, bus.Stats{Delivered: 1000, HighWater: 1000}, sub.Stats())
	})
}

func TestSubscription_stopsDrainingOnCloseOrCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		topic := quiet[int]()
		ctx, cancel := context.WithCancel(t.Context())
		failed := spilled(ctx, topic, bus.Limit(999))
		closed := spilled(t.Context(), topic)
		require.ErrorIs(t, failed.Err(), bus.ErrSlowConsumer)
		cancel()
		topic.Close()
		assert.Equal(t, numbers(0, 10), take(closed.C(), 10))
		synctest.Wait()
		closed.Close()
		synctest.Wait()
		assert.Equal(t, numbers(0, 128), rest(failed.C()))
		assert.Equal(t, numbers(10, 138), rest(closed.C()))
		assert.ErrorIs(t, failed.Err(), bus.ErrSlowConsumer, "later reasons do not replace the first")
	})
}

func TestClose_finalizesStatsBeforeReturning(t *testing.T) {
	for range 200 {
		var topic bus.Topic[int]
		sub := topic.Subscribe(t.Context())
		for n := range 300 {
			topic.Publish(n)
		}
		var taken sync.WaitGroup
		var received atomic.Int64
		taken.Go(func() {
			for range sub.C() {
				received.Add(1)
			}
		})
		sub.Close()
		final := sub.Stats()
		topic.Publish(-1)
		taken.Wait()
		assert.EqualValues(t, received.Load(), int(final.Delivered)+final.Pending)
		assert.EqualValues(t, 300, int(final.Delivered+final.Dropped)+final.Pending)
	}
}

func TestClose_isSafeForConcurrentUse(t *testing.T) {
	for range 200 {
		topic := quiet[int]()
		ctx, cancel := context.WithCancel(t.Context())
		sub := topic.Subscribe(ctx, bus.Limit(200))
		var all sync.WaitGroup
		all.Go(func() {
			for n := range 300 {
				topic.Publish(n)
			}
		})
		all.Go(topic.Close)
		all.Go(cancel)
		all.Go(sub.Close)
		all.Go(sub.Close)
		all.Go(func() {
			got := rest(sub.C())
			assert.Equal(t, numbers(0, len(got)), got)
		})
		all.Wait()
		assert.Error(t, sub.Err())
		assert.False(t, topic.Active())
	}
}

func TestSubscription_stopsWatchingContextAfterEnd(t *testing.T) {
	ways := map[string]func(*bus.Topic[int], *bus.Subscription[int]){
		"closed":       func(_ *bus.Topic[int], sub *bus.Subscription[int]) { sub.Close() },
		"topic closed": func(topic *bus.Topic[int], _ *bus.Subscription[int]) { topic.Close() },
		"failed":       func(topic *bus.Topic[int], _ *bus.Subscription[int]) { topic.Publish(-1) },
	}
	for name, end := range ways {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				topic := quiet[int]()
				ctx := &watched{Context: t.Context()}
				sub := spilled(ctx, topic, bus.Limit(1000))
				assert.EqualValues(t, 1, ctx.watchers.Load())
				end(topic, sub)
				if name != "closed" {
					assert.EqualValues(t, 1, ctx.watchers.Load(), "the context can still end the delivery")
				}
				rest(sub.C())
				synctest.Wait()
				assert.Zero(t, ctx.watchers.Load())
			})
		})
	}
}

func TestSubscription_stopsWatchingContextOnFailWithoutBacklog(t *testing.T) {
	topic := quiet[int]()
	ctx := &watched{Context: t.Context()}
	topic.Subscribe(ctx, bus.Limit(1))
	topic.Publish(0)
	assert.EqualValues(t, 1, ctx.watchers.Load())
	topic.Publish(1)
	assert.Zero(t, ctx.watchers.Load())
}

func TestSubscribe_stopsWatchingContextIfTopicClosesMeanwhile(t *testing.T) {
	topic := quiet[int]()
	ctx := &watched{Context: t.Context(), on: topic.Close}
	sub := topic.Subscribe(ctx)
	assert.Empty(t, rest(sub.C()))
	assert.Zero(t, ctx.watchers.Load())
}

// watched is a context that counts its AfterFunc calls that are not stopped. It
// calls on at each.
type watched struct {
	context.Context
	watchers atomic.Int64
	on       func()
}

func (w *watched) Done() <-chan struct{} { return make(chan struct{}) }

func (w *watched) AfterFunc(func()) func() bool {
	w.watchers.Add(1)
	if w.on != nil {
		w.on()
	}
	return func() bool { return w.watchers.Add(-1) == 0 }
}
