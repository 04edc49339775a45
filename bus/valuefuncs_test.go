package bus_test

import (
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed67206a74/parley/bus"
)

func even(n int) bool { return n%2 == 0 }

func length(s string) int { return len(s) }

// itself returns n. It is the size function of ints in these tests.
func itself(n int) int { return n }

func TestFilter_deliversAndCountsOnlyMatches(t *testing.T) {
	topic := bus.Topic[int]{Replay: 10}
	for n := range 10 {
		topic.Publish(n)
	}
	some := topic.Subscribe(t.Context(), bus.Filter(even), bus.Limit(3), bus.OnOverflow(bus.DropNewest))
	all := topic.Subscribe(t.Context())
	assert.Equal(t, []int{4, 6, 8}, take(some.C(), 3), "the limit applies to matching values")
	topic.Publish(10)
	topic.Publish(11)
	topic.Close()
	assert.Equal(t, []int{10}, rest(some.C()))
	assert.Equal(t, bus.Stats{Delivered: 4, HighWater: 3}, some.Stats())
	assert.Equal(t, numbers(0, 12), rest(all.C()))
}

func TestFilter_ignoresRejectedValueAtLimit(t *testing.T) {
	topic := quiet[int]()
	sub := topic.Subscribe(t.Context(), bus.Filter(even), bus.Limit(1))
	topic.Publish(0)
	topic.Publish(1)
	require.NoError(t, sub.Err())
	topic.Publish(2)
	assert.ErrorIs(t, sub.Err(), bus.ErrSlowConsumer)
}

func TestFilter_panicPassesToPublisherAndTopicStaysUsable(t *testing.T) {
	var topic bus.Topic[int]
	sub := topic.Subscribe(t.Context(), bus.Filter(func(n int) bool { return 1/n > 0 }))
	assert.Panics(t, func() { topic.Publish(0) })
	topic.Publish(1)
	assert.Equal(t, 1, <-sub.C())
	topic.Close()
}

func TestFilter_panicStillRemovesFailedSubscription(t *testing.T) {
	topic := quiet[int]()
	reported := 0
	topic.OnSlow = func(bus.SlowEvent) { reported++ }
	picky := topic.Subscribe(t.Context(), bus.Filter(func(n int) bool { return 1/n > 0 }))
	// The newest subscription is the first to get a value.
	failing := topic.Subscribe(t.Context(), bus.Limit(1))
	topic.Publish(1)
	assert.Panics(t, func() { topic.Publish(0) })
	assert.ErrorIs(t, failing.Err(), bus.ErrSlowConsumer)
	assert.Equal(t, 1, reported)
	picky.Close()
	assert.False(t, topic.Active())
}

func TestSubscribe_reportsErrOptionForWrongType(t *testing.T) {
	topic := bus.Topic[string]{Replay: 1}
	topic.Publish("kept")
	for name, option := range map[string]bus.Option{
		"filter": bus.Filter(even),
		"size":   bus.LimitBytes(10, itself),
		"key":    bus.Conflate(even),
	} {
		t.Run(name, func(t *testing.T) {
			sub := topic.Subscribe(t.Context(), option)
			assert.ErrorIs(t, sub.Err(), bus.ErrOption)
			assert.Empty(t, rest(sub.C()))
			assert.False(t, topic.Active())
		})
	}
}

func TestLimitBytes_failsSubscriptionAboveLimit(t *testing.T) {
	topic := quiet[string]()
	sub := topic.Subscribe(t.Context(), bus.LimitBytes(10, length))
	topic.Publish("12345")
	topic.Publish("67890")
	topic.Publish("")
	require.NoError(t, sub.Err(), "exactly at the limit")
	assert.Equal(t, bus.Stats{Pending: 3, Bytes: 10, HighWater: 3}, sub.Stats())
	topic.Publish("!")
	assert.ErrorIs(t, sub.Err(), bus.ErrSlowConsumer)
	assert.Equal(t, []string{"12345", "67890", ""}, rest(sub.C()))
	assert.Equal(t, bus.Stats{Delivered: 3, Dropped: 1, HighWater: 3}, sub.Stats())
}

func TestDropOldest_dropsUntilNewValueFits(t *testing.T) {
	topic := quiet[string]()
	sub := topic.Subscribe(t.Context(), bus.LimitBytes(10, length), bus.OnOverflow(bus.DropOldest))
	for _, v := range []string{"aaaa", "bbbb", "cc", "ddddd"} {
		topic.Publish(v)
	}
	assert.Equal(t, bus.Stats{Dropped: 2, Pending: 2, Bytes: 7, HighWater: 3}, sub.Stats())
	topic.Publish(strings.Repeat("e", 100))
	assert.Equal(t, bus.Stats{Dropped: 4, Pending: 1, Bytes: 100, HighWater: 3}, sub.Stats())
	topic.Publish("f")
	topic.Close()
	assert.Equal(t, []string{"f"}, rest(sub.C()))
}

func TestDropNewest_acceptsSmallerValueThatFits(t *testing.T) {
	topic := quiet[string]()
	sub := topic.Subscribe(t.Context(), bus.LimitBytes(10, length), bus.OnOverflow(bus.DropNewest))
	for _, v := range []string{"aaaa", "bbbb", "ccc", "dd"} {
		topic.Publish(v)
	}
	topic.Close()
	assert.Equal(t, []string{"aaaa", "bbbb", "dd"}, rest(sub.C()))
}

func TestBlock_acceptsOversizedValueOnceEmpty(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		topic := quiet[int]()
		sub := topic.Subscribe(t.Context(), bus.LimitBytes(10, itself), bus.OnOverflow(bus.Block))
		topic.Publish(4)
		topic.Publish(6)
		done := make(chan struct{})
		go func() { // ends when the reader has received both
			topic.Publish(50)
			close(done)
		}()
		for _, n := range []int{4, 6} {
			synctest.Wait()
			select {
			case <-done:
				assert.Fail(t, "no room yet")
			default:
			}
			assert.Equal(t, n, <-sub.C())
		}
		<-done
		assert.Equal(t, bus.Stats{Delivered: 2, Pending: 1, Bytes: 50, HighWater: 2}, sub.Stats())
		sub.Close()
	})
}

func TestPublishSized_limitsBytesByDefault(t *testing.T) {
	const size = bus.DefaultLimitBytes / 4
	for policy, want := range map[bus.Policy][]int{
		bus.Fail:       {0, 1, 2, 3},
		bus.DropOldest: {6, 7, 8, 9},
		bus.DropNewest: {0, 1, 2, 3},
	} {
		t.Run(policy.String(), func(t *testing.T) {
			topic := quiet[int]()
			sub := topic.Subscribe(t.Context(), bus.OnOverflow(policy))
			topic.Publish(-1) // without a size
			assert.Equal(t, -1, <-sub.C())
			for n := range 10 {
				require.NoError(t, topic.PublishSized(t.Context(), n, size))
			}
			assert.Equal(t, bus.DefaultLimitBytes, sub.Stats().Bytes)
			topic.Close()
			assert.Equal(t, want, rest(sub.C()))
		})
	}
}

// The values after an oversized value count it.
func TestPublishSized_limitsBytesAfterOversizedValue(t *testing.T) {
	topic := quiet[int]()
	sub := topic.Subscribe(t.Context(), bus.LimitBytes[int](100, nil), bus.OnOverflow(bus.DropNewest))
	publish := func(sizes ...int) {
		for n, size := range sizes {
			require.NoError(t, topic.PublishSized(t.Context(), n, size))
		}
	}
	for range 2 { // a higher high-water mark makes the next publishes fast
		publish(1, 1, 1)
		for range 3 {
			<-sub.C()
		}
	}
	publish(1)
	<-sub.C()
	publish(200, 50)
	assert.Equal(t, 200, sub.Stats().Bytes)
	assert.Equal(t, 1, sub.Stats().Pending)
}

// Under Block the values in the channel do not count.
func TestPublishSized_limitsBacklogUnderBlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		topic := quiet[int]()
		sub := topic.Subscribe(t.Context(), bus.OnOverflow(bus.Block))
		published := 0
		go func() { // ends when the reader has made room
			for ; published < 300; published++ {
				_ = topic.PublishSized(t.Context(), published, bus.DefaultLimitBytes/4)
			}
			topic.Close()
		}()
		synctest.Wait()
		assert.Equal(t, 128+4, published)
		assert.Equal(t, numbers(0, 300), rest(sub.C()))
	})
}

func TestReplay_truncatesToByteLimit(t *testing.T) {
	topic := bus.Topic[int]{Replay: 10}
	for n := range 10 {
		topic.Publish(n)
	}
	sub := topic.Subscribe(t.Context(), bus.LimitBytes(20, itself))
	assert.Equal(t, bus.Stats{Pending: 2, Bytes: 17, HighWater: 2}, sub.Stats())
	topic.Close()
	assert.Equal(t, []int{8, 9}, rest(sub.C()))
}

func TestLimitBytes_holdsUnderConcurrentPublish(t *testing.T) {
	const publishers, values, limit = 4, 3000, 500
	for _, policy := range []bus.Policy{bus.Block, bus.DropOldest, bus.DropNewest} {
		t.Run(policy.String(), func(t *testing.T) {
			topic := quiet[int]()
			sub := topic.Subscribe(t.Context(), bus.LimitBytes(limit, itself), bus.OnOverflow(policy))
			var publishing, all sync.WaitGroup
			for range publishers {
				publishing.Go(func() {
					for n := range values {
						topic.Publish(n % 20)
					}
				})
			}
			received := 0
			all.Go(func() { received = len(rest(sub.C())) })
			all.Go(func() {
				for sub.Err() == nil {
					if now := sub.Stats(); !assert.LessOrEqual(t, now.Bytes, limit) {
						return
					}
				}
			})
			publishing.Wait()
			topic.Close()
			all.Wait()
			final := sub.Stats()
			assert.EqualValues(t, received, final.Delivered)
			assert.EqualValues(t, publishers*values, final.Delivered+final.Dropped)
			assert.Zero(t, final.Bytes)
		})
	}
}
