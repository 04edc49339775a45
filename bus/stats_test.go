package bus_test

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed67206a74/parley/bus"
)

func TestStats_countsEachReceiveExactly(t *testing.T) {
	var topic bus.Topic[int]
	sub := topic.Subscribe(t.Context())
	for n := range 2000 {
		topic.Publish(n)
	}
	for n := range 2000 {
		require.Equal(t, bus.Stats{Delivered: uint64(n), Pending: 2000 - n, HighWater: 2000}, sub.Stats())
		<-sub.C()
	}
	topic.Close()
}

func TestStats_sumsBytesOfPendingValues(t *testing.T) {
	for _, policy := range []bus.Policy{bus.Fail, bus.Block, bus.DropOldest, bus.DropNewest} {
		for _, limit := range []int{40, 10_000} { // a few values, and more than the channel holds
			t.Run(fmt.Sprint(policy, limit), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					random := newRand()
					topic := quiet[int]()
					sub := topic.Subscribe(t.Context(), bus.LimitBytes(limit, itself), bus.OnOverflow(policy))
					var model []int
					sum := func() (bytes int) {
						for _, n := range model {
							bytes += n
						}
						return bytes
					}
					for range 4000 {
						n := random.IntN(30)
						fits := len(model) == 0 || sum()+n <= limit
						if random.IntN(5) < 3 && (fits || policy > bus.Block) {
							topic.Publish(n)
							for policy == bus.DropOldest && len(model) > 0 && sum()+n > limit {
								model = model[1:]
							}
							if fits || policy == bus.DropOldest {
								model = append(model, n)
							}
						} else if len(model) > 0 {
							require.Equal(t, model[0], <-sub.C())
							model = model[1:]
						}
						if random.IntN(2) == 0 {
							synctest.Wait()
						}
						now := sub.Stats()
						require.Equal(t, sum(), now.Bytes)
						require.Equal(t, len(model), now.Pending)
					}
					synctest.Wait()
					kept := sub.Stats()
					sub.Close()
					after := sub.Stats()
					bytes := 0
					left := rest(sub.C())
					for _, n := range left {
						bytes += n
					}
					assert.Equal(t, bytes, after.Bytes)
					assert.Equal(t, len(left), after.Pending)
					assert.EqualValues(t, kept.Pending-len(left), after.Dropped-kept.Dropped)
				})
			})
		}
	}
}

// During a publish the counts include no value twice, lose none, and never have
// more pending than the limit.
func TestStats_addUpDuringPublish(t *testing.T) {
	for _, policy := range []bus.Policy{bus.Block, bus.DropOldest, bus.DropNewest} {
		t.Run(policy.String(), func(t *testing.T) {
			const limit, values = 150, 20_000
			topic := quiet[int]()
			sub := topic.Subscribe(t.Context(), bus.Limit(limit), bus.OnOverflow(policy))
			var all sync.WaitGroup
			all.Go(func() {
				for n := range values {
					topic.Publish(n)
				}
				topic.Close()
			})
			all.Go(func() { rest(sub.C()) })
			all.Go(func() {
				var before bus.Stats
				for offered := uint64(0); offered < values; {
					now := sub.Stats()
					sum := now.Delivered + now.Dropped + uint64(now.Pending)
					ok := assert.GreaterOrEqual(t, sum, offered) &&
						assert.LessOrEqual(t, sum, uint64(values)) &&
						assert.GreaterOrEqual(t, now.Delivered, before.Delivered) &&
						assert.LessOrEqual(t, now.Pending, limit)
					if !ok {
						return
					}
					before, offered = now, sum
				}
			})
			all.Wait()
			assert.EqualValues(t, values, sub.Stats().Delivered+sub.Stats().Dropped)
		})
	}
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
