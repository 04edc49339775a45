package bus_test

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed67206a74/parley/bus"
)

func TestReplay_sendsLastValuesToNewSubscription(t *testing.T) {
	topic := bus.Topic[int]{Replay: 3}
	for n := range 3 {
		before := topic.Subscribe(t.Context())
		assert.Equal(t, numbers(0, n), take(before.C(), before.Stats().Pending))
		topic.Publish(n)
	}
	topic.Publish(3)
	topic.Publish(4)
	c := topic.Chan(t.Context())
	topic.Publish(5)
	topic.Close()
	assert.Equal(t, []int{2, 3, 4, 5}, rest(c))
	assert.Equal(t, []int{3, 4, 5}, rest(topic.Chan(t.Context())))
}

func TestReplay_keepsOrderBeyondChannelCapacity(t *testing.T) {
	topic := bus.Topic[int]{Replay: 1000}
	for n := range 1500 {
		topic.Publish(n)
	}
	c := topic.Chan(t.Context(), bus.OnOverflow(bus.Block))
	topic.Publish(1500)
	topic.Close()
	assert.Equal(t, numbers(500, 1501), rest(c))
}

func TestReplay_truncatesToLimitWithoutFailing(t *testing.T) {
	for _, policy := range []bus.Policy{bus.Fail, bus.Block, bus.DropOldest, bus.DropNewest} {
		t.Run(policy.String(), func(t *testing.T) {
			eachLimit(t, func(t *testing.T, limit int) {
				topic := bus.Topic[int]{Replay: 2000}
				for n := range 2000 {
					topic.Publish(n)
				}
				sub := topic.Subscribe(t.Context(), bus.Limit(limit), bus.OnOverflow(policy))
				require.NoError(t, sub.Err())
				assert.Equal(t, bus.Stats{Pending: limit, HighWater: limit}, sub.Stats())
				topic.Close()
				assert.Equal(t, numbers(2000-limit, 2000), rest(sub.C()))
			})
		})
	}
}

func TestReplay_joinsLiveValuesWithoutGapOrDuplicate(t *testing.T) {
	const total = 3000
	topic := bus.Topic[int]{Replay: 5}
	var all sync.WaitGroup
	all.Go(func() {
		for n := range total {
			topic.Publish(n)
		}
		topic.Close()
	})
	for range 4 {
		all.Go(func() {
			for range 100 {
				c := topic.Chan(t.Context())
				first, ok := <-c
				if ok {
					got := append([]int{first}, rest(c)...)
					assert.Equal(t, numbers(first, total), got)
				}
			}
		})
	}
	all.Wait()
}

// The functions of a subscription may use its topic.
func TestReplay_runsFilterUnderNoLock(t *testing.T) {
	topic := bus.Topic[int]{Replay: 3}
	for n := range 3 {
		topic.Publish(n)
	}
	published := false
	all := topic.Subscribe(t.Context(), bus.Filter(func(n int) bool {
		inner := topic.Subscribe(t.Context())
		defer inner.Close()
		if !published { // the value must neither be lost nor come twice
			published = true
			topic.Publish(3)
		}
		return true
	}))
	topic.Close()
	var got []int
	for n := range all.C() {
		got = append(got, n)
	}
	assert.Equal(t, []int{1, 2, 3}, got)
}
