package bus_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed67206a74/parley/bus"
)

// limits are around the largest buffer of a channel (128), where values start
// to spill.
var limits = []int{1, 2, 3, 127, 128, 129, 130, 200, 1000}

func quiet[T any]() *bus.Topic[T] {
	return &bus.Topic[T]{Logger: slog.New(slog.DiscardHandler)}
}

// eachLimit runs test in a bubble for each limit.
func eachLimit(t *testing.T, test func(t *testing.T, limit int)) {
	for _, limit := range limits {
		t.Run(fmt.Sprint(limit), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, limit) })
		})
	}
}

// overfill publishes 50 values more than limit, and waits after each until
// every goroutine is blocked.
func overfill(topic *bus.Topic[int], limit int) {
	for n := range limit + 50 {
		topic.Publish(n)
		synctest.Wait()
	}
}

func TestFail_deliversPendingValuesThenCloses(t *testing.T) {
	eachLimit(t, func(t *testing.T, limit int) {
		topic := quiet[int]()
		sub := topic.Subscribe(t.Context(), bus.Limit(limit))
		overfill(topic, limit)
		assert.ErrorIs(t, sub.Err(), bus.ErrSlowConsumer)
		assert.Equal(t, bus.Stats{Dropped: 1, Pending: limit, HighWater: limit}, sub.Stats())
		assert.Equal(t, numbers(0, limit), rest(sub.C()))
		assert.Equal(t, bus.Stats{Dropped: 1, Delivered: uint64(limit), HighWater: limit}, sub.Stats())
	})
}

func TestDropNewest_keepsFirstValues(t *testing.T) {
	eachLimit(t, func(t *testing.T, limit int) {
		topic := quiet[int]()
		sub := topic.Subscribe(t.Context(), bus.Limit(limit), bus.OnOverflow(bus.DropNewest))
		overfill(topic, limit)
		assert.Equal(t, bus.Stats{Dropped: 50, Pending: limit, HighWater: limit}, sub.Stats())
		topic.Close()
		assert.Equal(t, numbers(0, limit), rest(sub.C()))
	})
}

func TestDropOldest_keepsLastValues(t *testing.T) {
	eachLimit(t, func(t *testing.T, limit int) {
		topic := quiet[int]()
		sub := topic.Subscribe(t.Context(), bus.Limit(limit), bus.OnOverflow(bus.DropOldest))
		overfill(topic, limit)
		assert.Equal(t, bus.Stats{Dropped: 50, Pending: limit, HighWater: limit}, sub.Stats())
		topic.Close()
		assert.Equal(t, numbers(50, limit+50), rest(sub.C()))
	})
}

func TestBlock_delaysPublishUntilReaderMakesRoom(t *testing.T) {
	eachLimit(t, func(t *testing.T, limit int) {
		topic := quiet[int]()
		sub := topic.Subscribe(t.Context(), bus.Limit(limit), bus.OnOverflow(bus.Block))
		var published atomic.Int64
		go func() { // ends when the reader has made room for all
			for n := range limit + 50 {
				topic.Publish(n)
				published.Add(1)
			}
			topic.Close()
		}()
		for n := range 50 {
			synctest.Wait()
			assert.EqualValues(t, limit+n, published.Load())
			require.Equal(t, n, <-sub.C())
		}
		assert.Equal(t, numbers(50, limit+50), rest(sub.C()))
		assert.Equal(t, bus.Stats{Delivered: uint64(limit + 50), HighWater: limit}, sub.Stats())
	})
}

func TestLimit_acceptsValueAfterEachReceive(t *testing.T) {
	for _, policy := range []bus.Policy{bus.Fail, bus.DropOldest, bus.DropNewest} {
		t.Run(policy.String(), func(t *testing.T) {
			eachLimit(t, func(t *testing.T, limit int) {
				topic := quiet[int]()
				sub := topic.Subscribe(t.Context(), bus.Limit(limit), bus.OnOverflow(policy))
				for n := range limit {
					topic.Publish(n)
				}
				for n := range 3 * limit {
					synctest.Wait() // the pump sends the next value
					require.Equal(t, n, <-sub.C())
					topic.Publish(limit + n)
				}
				require.NoError(t, sub.Err())
				assert.Equal(t, bus.Stats{Delivered: uint64(3 * limit), Pending: limit, HighWater: limit}, sub.Stats())
				sub.Close()
			})
		})
	}
}

func TestOnOverflow_keepsOrderAndCountsDrops(t *testing.T) {
	for _, policy := range []bus.Policy{bus.DropOldest, bus.DropNewest} {
		for _, limit := range limits {
			t.Run(fmt.Sprint(policy, limit), func(t *testing.T) {
				random := newRand()
				topic := quiet[int]()
				sub := topic.Subscribe(t.Context(), bus.Limit(limit), bus.OnOverflow(policy))
				last, received, published := -1, 0, 0
				receive := func() {
					n := <-sub.C()
					require.Greater(t, n, last)
					last = n
					received++
				}
				for range 50 {
					for range random.IntN(2 * limit) {
						topic.Publish(published)
						published++
					}
					for range random.IntN(sub.Stats().Pending + 1) {
						receive()
						require.EqualValues(t, received, sub.Stats().Delivered)
					}
				}
				for sub.Stats().Pending > 0 {
					receive()
				}
				assert.Equal(t, uint64(published), sub.Stats().Delivered+sub.Stats().Dropped)
				assert.NotZero(t, sub.Stats().Dropped)
				topic.Close()
			})
		}
	}
}

func TestPublish_doesNotLetSlowReaderDelayOthers(t *testing.T) {
	for _, policy := range []bus.Policy{bus.Fail, bus.DropOldest, bus.DropNewest} {
		t.Run(policy.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				topic := quiet[int]()
				slow := topic.Subscribe(t.Context(), bus.Limit(200), bus.OnOverflow(policy))
				defer slow.Close()
				fast := topic.Chan(t.Context())
				for n := range 1000 {
					topic.Publish(n)
					require.Equal(t, n, <-fast)
				}
			})
		})
	}
}

func TestPublish_deliversToOthersBeforeBlocking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		topic := quiet[int]()
		full := topic.Subscribe(t.Context(), bus.Limit(1), bus.OnOverflow(bus.Block))
		other := topic.Chan(t.Context())
		topic.Publish(0)
		go topic.Publish(1) // ends with full
		assert.Equal(t, []int{0, 1}, take(other, 2))
		full.Close()
	})
}

func TestPublishContext_returnsWhenContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		topic := quiet[int]()
		full := topic.Subscribe(t.Context(), bus.Limit(1), bus.OnOverflow(bus.Block))
		full2 := topic.Subscribe(t.Context(), bus.Limit(1), bus.OnOverflow(bus.Block))
		other := topic.Chan(t.Context())
		require.NoError(t, topic.PublishContext(t.Context(), 0))
		ctx, cancel := context.WithCancel(t.Context())
		result := make(chan error, 1)
		go func() { result <- topic.PublishContext(ctx, 1) }() // ends with ctx
		synctest.Wait()
		select {
		case <-result:
			assert.Fail(t, "publish into a full subscription returned")
		default:
		}
		cancel()
		assert.ErrorIs(t, <-result, context.Canceled)
		assert.ErrorIs(t, topic.PublishContext(ctx, 2), context.Canceled, "no wait with an ended context")
		topic.Close()
		assert.Equal(t, []int{0, 1, 2}, rest(other))
		for _, sub := range []*bus.Subscription[int]{full, full2} {
			assert.Equal(t, []int{0}, rest(sub.C()))
			assert.Equal(t, bus.Stats{Delivered: 1, Dropped: 2, HighWater: 1}, sub.Stats())
		}
	})
}

func TestPublish_unblocksWhenSubscriptionEnds(t *testing.T) {
	ways := map[string]func(*bus.Topic[int], *bus.Subscription[int], context.CancelFunc){
		"its Close":    func(_ *bus.Topic[int], sub *bus.Subscription[int], _ context.CancelFunc) { sub.Close() },
		"its context":  func(_ *bus.Topic[int], _ *bus.Subscription[int], cancel context.CancelFunc) { cancel() },
		"topic closed": func(topic *bus.Topic[int], _ *bus.Subscription[int], _ context.CancelFunc) { topic.Close() },
	}
	for name, end := range ways {
		t.Run(name, func(t *testing.T) {
			eachLimit(t, func(t *testing.T, limit int) {
				topic := quiet[int]()
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				sub := topic.Subscribe(ctx, bus.Limit(limit), bus.OnOverflow(bus.Block))
				for n := range limit {
					topic.Publish(n)
				}
				var publishers sync.WaitGroup
				for range 3 {
					publishers.Go(func() { topic.Publish(-1) })
				}
				synctest.Wait()
				end(topic, sub, cancel)
				publishers.Wait()
				synctest.Wait()
				got := rest(sub.C())
				assert.Equal(t, numbers(0, len(got)), got)
				stats := sub.Stats()
				assert.EqualValues(t, len(got), stats.Delivered)
				assert.EqualValues(t, limit+3, stats.Delivered+stats.Dropped)
			})
		})
	}
}

func TestBlock_deliversAllValuesOfConcurrentPublishers(t *testing.T) {
	type value struct{ publisher, n int }
	for _, limit := range limits {
		t.Run(fmt.Sprint(limit), func(t *testing.T) {
			topic := quiet[value]()
			sub := topic.Subscribe(t.Context(), bus.Limit(limit), bus.OnOverflow(bus.Block))
			var publishers sync.WaitGroup
			for p := range 8 {
				publishers.Go(func() {
					for n := range 200 {
						topic.Publish(value{p, n})
					}
				})
			}
			next := [8]int{}
			for range 8 * 200 {
				v := <-sub.C()
				require.Equal(t, next[v.publisher], v.n)
				next[v.publisher]++
			}
			publishers.Wait()
			assert.Equal(t, uint64(8*200), sub.Stats().Delivered)
			assert.LessOrEqual(t, sub.Stats().HighWater, limit)
			topic.Close()
		})
	}
}

func TestPolicy_stringReturnsName(t *testing.T) {
	assert.Equal(t, "Fail Block DropOldest DropNewest Policy(9)",
		fmt.Sprint(bus.Fail, " ", bus.Block, " ", bus.DropOldest, " ", bus.DropNewest, " ", bus.Policy(9)))
}

func TestLimit_treatsValuesBelowOneAsOne(t *testing.T) {
	for _, limit := range []int{0, -5} {
		topic := quiet[int]()
		sub := topic.Subscribe(t.Context(), bus.Limit(limit), bus.OnOverflow(bus.DropNewest))
		topic.Publish(1)
		topic.Publish(2)
		topic.Close()
		assert.Equal(t, []int{1}, rest(sub.C()))
	}
}
