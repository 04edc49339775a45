package bus_test

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"

	"github.com/seed67206a74/parley/bus"
)

func TestOnSlow_isCalledOncePerTransition(t *testing.T) {
	var told []bus.SlowEvent
	topic := quiet[int]()
	topic.Name = "tokens"
	topic.OnSlow = func(s bus.SlowEvent) { told = append(told, s) }
	sub := topic.Subscribe(t.Context(), bus.Limit(2), bus.OnOverflow(bus.DropNewest), bus.Name("screen"))
	for n := range 5 {
		topic.Publish(n)
	}
	take(sub.C(), 2)
	topic.Publish(5)
	topic.Close()
	slow := bus.SlowEvent{Topic: "tokens", Subscription: "screen", Policy: bus.DropNewest, Limit: 2,
		Stats: bus.Stats{Dropped: 1, Pending: 2, HighWater: 2}}
	caughtUp := slow
	caughtUp.CaughtUp = true
	caughtUp.Stats = bus.Stats{Delivered: 2, Dropped: 3, HighWater: 2}
	assert.Equal(t, []bus.SlowEvent{slow, caughtUp}, told)
}

// With a backlog beyond the channel: what DropOldest takes out of the channel, the
// pump has replaced before it can say so.
func TestOnSlow_receivesConsistentStats(t *testing.T) {
	options := map[string][]bus.Option{
		"spilled":   {bus.Limit(200)},
		"conflated": {bus.Limit(2), bus.Conflate(itself)},
		"in hand":   {bus.Limit(1), bus.Conflate(itself)},
		"bytes":     {bus.LimitBytes(10, func(int) int { return 6 }), bus.Conflate(itself)},
	}
	for name, opts := range options {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var told []bus.SlowEvent
				topic := quiet[int]()
				topic.OnSlow = func(s bus.SlowEvent) { told = append(told, s) }
				sub := topic.Subscribe(t.Context(), append(opts, bus.OnOverflow(bus.DropOldest))...)
				published := 0
				for ; len(told) == 0; published++ {
					topic.Publish(published)
					synctest.Wait()
				}
				stats := sub.Stats()
				assert.Zero(t, stats.Delivered)
				assert.Equal(t, stats, told[0].Stats)
				assert.EqualValues(t, published, stats.Dropped+uint64(stats.Pending))
				sub.Close()
			})
		})
	}
}

func TestOnSlow_mayUseTopic(t *testing.T) {
	topic := quiet[int]()
	calls := 0
	var sub *bus.Subscription[int]
	topic.OnSlow = func(bus.SlowEvent) {
		calls++
		topic.Publish(-1)
		topic.Stats()
		sub.Close()
		topic.Close()
	}
	sub = topic.Subscribe(t.Context(), bus.Limit(1), bus.OnOverflow(bus.DropNewest))
	topic.Publish(0)
	topic.Publish(1)
	assert.Equal(t, 1, calls)
	assert.Equal(t, []int{0}, rest(sub.C()))
}

func TestTopicStats_sumsActiveSubscriptions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		topic := quiet[int]()
		assert.Zero(t, topic.Stats())
		a := topic.Subscribe(t.Context())
		topic.Subscribe(t.Context(), bus.Limit(10), bus.OnOverflow(bus.DropOldest), bus.LimitBytes(10_000, itself))
		failed := topic.Subscribe(t.Context(), bus.Limit(200))
		for n := range 300 {
			topic.Publish(n)
		}
		take(a.C(), 100)
		assert.Equal(t, bus.TopicStats{
			Subscriptions: 2,
			Slow:          1,
			Total:         bus.Stats{Delivered: 100, Dropped: 290, Pending: 210, Bytes: 2945, HighWater: 300},
		}, topic.Stats())
		a.Close()
		assert.Equal(t, 1, topic.Stats().Subscriptions)
		topic.Close()
		assert.Zero(t, topic.Stats())
		rest(failed.C())
	})
}
