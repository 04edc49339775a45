package bus_test

import (
	"fmt"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed67206a74/parley/bus"
)

type reading struct{ sensor, n int }

func sensor(r reading) int { return r.sensor }

func size(r reading) int { return r.n }

func TestConflate_keepsLatestValuePerKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		topic := bus.Topic[reading]{Replay: 4}
		for n := range 4 {
			topic.Publish(reading{n % 2, n})
		}
		sub := topic.Subscribe(t.Context(), bus.Conflate(sensor), bus.Limit(3), bus.LimitBytes(10_000, size))
		assert.Equal(t, bus.Stats{Pending: 2, Bytes: 5, HighWater: 2}, sub.Stats())
		for n := range 300 {
			topic.Publish(reading{n % 3, n})
			if n%2 == 0 {
				synctest.Wait()
			}
		}
		assert.Equal(t, bus.Stats{Dropped: 299, Pending: 3, Bytes: 297 + 298 + 299, HighWater: 3}, sub.Stats())
		require.NoError(t, sub.Err())
		topic.Close()
		assert.Equal(t, []reading{{0, 297}, {1, 298}, {2, 299}}, rest(sub.C()))
		assert.Equal(t, bus.Stats{Delivered: 3, Dropped: 299, HighWater: 3}, sub.Stats())
	})
}

func TestConflate_appliesPolicyToNewKeyAtLimit(t *testing.T) {
	for policy, want := range map[bus.Policy][]reading{
		bus.Fail:       {{0, 3}, {1, 1}},
		bus.DropOldest: {{1, 1}, {2, 2}},
		bus.DropNewest: {{0, 3}, {1, 1}},
	} {
		t.Run(policy.String(), func(t *testing.T) {
			topic := quiet[reading]()
			sub := topic.Subscribe(t.Context(), bus.Conflate(sensor), bus.Limit(2), bus.OnOverflow(policy))
			for _, r := range []reading{{0, 0}, {1, 1}, {0, 3}, {2, 2}} {
				topic.Publish(r)
			}
			topic.Close()
			assert.Equal(t, want, rest(sub.C()))
		})
	}
}

// Compares with a model of the pending values, with and without waiting for the
// pump.
func TestConflate_ordersKeysByFirstUnreadValue(t *testing.T) {
	for _, keys := range []int{1, 2, 10, 200} {
		t.Run(fmt.Sprint(keys), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				random := newRand()
				topic := quiet[reading]()
				sub := topic.Subscribe(t.Context(), bus.Conflate(sensor), bus.LimitBytes(1<<30, size))
				var model []reading
				published, received := 0, 0
				for n := range 4000 {
					if random.IntN(3) > 0 {
						r := reading{random.IntN(keys), n}
						topic.Publish(r)
						published++
						at := 0
						for at < len(model) && model[at].sensor != r.sensor {
							at++
						}
						if at == len(model) {
							model = append(model, r)
						}
						model[at] = r
					} else if len(model) > 0 {
						require.Equal(t, model[0], <-sub.C())
						model = model[1:]
						received++
					}
					if random.IntN(2) == 0 {
						synctest.Wait()
					}
					bytes := 0
					for _, r := range model {
						bytes += r.n
					}
					now := sub.Stats()
					now.HighWater = 0
					require.Equal(t, bus.Stats{
						Delivered: uint64(received),
						Dropped:   uint64(published - received - len(model)),
						Pending:   len(model),
						Bytes:     bytes,
					}, now)
				}
				sub.Close()
			})
		})
	}
}

func TestConflate_deliversLatestValuesOfConcurrentPublishers(t *testing.T) {
	const publishers, values, keys = 4, 3000, 3
	for _, policy := range []bus.Policy{bus.Fail, bus.Block, bus.DropOldest} {
		for _, limit := range []int{publishers * keys, 1} {
			if policy == bus.Fail && limit == 1 {
				continue
			}
			t.Run(fmt.Sprint(policy, limit), func(t *testing.T) {
				topic := quiet[reading]()
				sub := topic.Subscribe(t.Context(), bus.Conflate(sensor), bus.Limit(limit), bus.OnOverflow(policy))
				var publishing, readers sync.WaitGroup
				for p := range publishers {
					publishing.Go(func() {
						for n := range values {
							topic.Publish(reading{p*keys + n%keys, n})
						}
					})
				}
				last := map[int]int{}
				received := 0
				readers.Go(func() {
					for r := range sub.C() {
						if before, ok := last[r.sensor]; ok {
							assert.Greater(t, r.n, before)
						}
						last[r.sensor] = r.n
						received++
					}
				})
				publishing.Wait()
				topic.Close()
				readers.Wait()
				final := sub.Stats()
				assert.EqualValues(t, received, final.Delivered)
				assert.EqualValues(t, publishers*values, final.Delivered+final.Dropped)
				if policy != bus.DropOldest {
					for key := range publishers * keys {
						assert.Equal(t, values-keys+key%keys, last[key])
					}
				}
			})
		}
	}
}

// The pump may be sending the only pending value.
func TestDropOldest_respectsLimitsWithConflate(t *testing.T) {
	limits := map[string]bus.Option{"count": bus.Limit(1), "bytes": bus.LimitBytes(10, size)}
	for name, limit := range limits {
		t.Run(name, func(t *testing.T) {
			for range 3000 {
				topic := quiet[reading]()
				sub := topic.Subscribe(t.Context(), bus.Conflate(sensor), limit, bus.OnOverflow(bus.DropOldest))
				for n := range 5 {
					topic.Publish(reading{n, 6})
					runtime.Gosched()
					if now := sub.Stats(); !assert.Equal(t, 1, now.Pending) {
						t.FailNow()
					}
				}
				topic.Close()
				assert.Equal(t, []reading{{4, 6}}, rest(sub.C()))
				assert.EqualValues(t, 4, sub.Stats().Dropped)
			}
		})
	}
}

func TestConflate_unblocksPublisherWhenReplacementIsSmaller(t *testing.T) {
	for name, key := range map[string]int{"oldest": 0, "newest": 1} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				topic := quiet[reading]()
				sub := topic.Subscribe(t.Context(), bus.Conflate(sensor), bus.LimitBytes(10, size), bus.OnOverflow(bus.Block))
				topic.Publish(reading{0, 5})
				topic.Publish(reading{1, 5})
				synctest.Wait()
				published := false
				go func() { // ends when there is room
					topic.Publish(reading{2, 4})
					published = true
				}()
				synctest.Wait()
				assert.False(t, published)
				topic.Publish(reading{key, 1})
				synctest.Wait()
				assert.True(t, published)
				assert.Equal(t, bus.Stats{Dropped: 1, Pending: 3, Bytes: 10, HighWater: 3}, sub.Stats())
				sub.Close()
			})
		})
	}
}

func TestConflate_appliesPolicyToLargerValueAboveByteLimit(t *testing.T) {
	for policy, want := range map[bus.Policy][]reading{
		bus.Fail:       {{0, 4}, {1, 4}, {2, 2}},
		bus.DropOldest: {{1, 8}, {2, 2}},
		bus.DropNewest: {{0, 4}, {1, 4}, {2, 2}},
	} {
		t.Run(policy.String(), func(t *testing.T) {
			topic := quiet[reading]()
			sub := topic.Subscribe(t.Context(), bus.Conflate(sensor), bus.LimitBytes(10, size), bus.OnOverflow(policy))
			for _, r := range []reading{{0, 4}, {1, 4}, {2, 2}, {1, 8}} {
				topic.Publish(r)
			}
			assert.LessOrEqual(t, sub.Stats().Bytes, 10)
			topic.Close()
			assert.Equal(t, want, rest(sub.C()))
		})
	}
}

func TestConflate_isSafeToCloseDuringPublish(t *testing.T) {
	for range 200 {
		topic := quiet[reading]()
		sub := topic.Subscribe(t.Context(), bus.Conflate(sensor))
		var all sync.WaitGroup
		for range 2 {
			all.Go(func() {
				for n := range 100 {
					topic.Publish(reading{n % 2, n})
				}
			})
		}
		received := 0
		all.Go(func() { received = len(rest(sub.C())) })
		sub.Close()
		all.Wait()
		final := sub.Stats()
		assert.EqualValues(t, received, final.Delivered)
		assert.Zero(t, final.Pending)
		topic.Close()
	}
}
