package bus_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seed67206a74/parley/bus"
)

// Publishers, readers under every policy, and subscriptions that come and go,
// all at once. A reader checks that each publisher's values come in order; a
// reader that stays also accounts for every one of them.
func TestEverythingAtOnce(t *testing.T) {
	const publishers, values = 4, 3000
	type value struct{ publisher, n int }
	policies := []bus.Policy{bus.Fail, bus.Block, bus.DropOldest, bus.DropNewest}

	read := func(sub *bus.Subscription[value], stopAfter int) (received int) {
		last := [publishers]int{-1, -1, -1, -1}
		for v := range sub.C() {
			if !assert.Greater(t, v.n, last[v.publisher]) {
				sub.Close()
			}
			last[v.publisher] = v.n
			if received++; received == stopAfter {
				sub.Close()
			}
		}
		assert.Error(t, sub.Err())
		return received
	}

	topic := quiet[value]()
	var readers, publishing sync.WaitGroup
	for _, policy := range policies {
		for _, limit := range []int{1, 10, 150, 4000} {
			sub := topic.Subscribe(t.Context(), bus.Limit(limit), bus.OnOverflow(policy))
			readers.Go(func() {
				what := fmt.Sprint(policy, " ", limit)
				received := read(sub, -1)
				stats := sub.Stats()
				assert.EqualValues(t, received, stats.Delivered, what)
				assert.Zero(t, stats.Pending, what)
				assert.LessOrEqual(t, stats.HighWater, limit, what)
				switch policy {
				case bus.Fail:
					assert.LessOrEqual(t, stats.Dropped, uint64(1), what)
				case bus.Block:
					assert.Equal(t, publishers*values, received, what)
				default:
					assert.EqualValues(t, publishers*values, stats.Delivered+stats.Dropped, what)
				}
			})
		}
	}
	for p := range publishers {
		publishing.Go(func() {
			for n := range values {
				topic.Publish(value{p, n})
			}
		})
	}

	done := make(chan struct{})
	for _, policy := range policies {
		readers.Go(func() { // ends when the publishers are done
			random := newRand()
			for {
				select {
				case <-done:
					return
				default:
				}
				ctx, cancel := context.WithCancel(t.Context())
				sub := topic.Subscribe(ctx, bus.Limit(1+random.IntN(300)), bus.OnOverflow(policy))
				if random.IntN(2) == 0 {
					readers.Go(cancel)
				}
				received := read(sub, 1+random.IntN(400))
				assert.EqualValues(t, received, sub.Stats().Delivered)
				cancel()
			}
		})
	}
	publishing.Wait()
	close(done)
	topic.Close()
	readers.Wait()
	assert.False(t, topic.Active())
}

// Whatever else goes on, a look at the counts sees no value twice and none
// lost, and never more waiting than the limit.
func TestStatsAddUpAtAnyMoment(t *testing.T) {
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
