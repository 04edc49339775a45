package bus_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed67206a74/parley/bus"
)

// combinations returns all combinations of settings, with limits below, at and
// above the largest buffer of a channel.
func combinations() (all []settings) {
	for _, policy := range []bus.Policy{bus.Fail, bus.Block, bus.DropOldest, bus.DropNewest} {
		for _, limit := range []int{1, 2, 128, 140} {
			for _, bytes := range []int{0, 12, 300} {
				for bits := range 4 {
					s := settings{policy: policy, limit: limit, bytes: bytes, conflating: bits&1 != 0, filtering: bits&2 != 0}
					all = append(all, s)
					if s.published = true; bytes > 0 {
						all = append(all, s)
					}
				}
			}
		}
	}
	return all
}

// eachCombination runs test in a bubble for each combination, with and without
// a replay.
func eachCombination(t *testing.T, test func(t *testing.T, s settings, replay int)) {
	for _, s := range combinations() {
		for _, replay := range []int{0, 5} {
			t.Run(fmt.Sprintf("%+v,replay:%d", s, replay), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { test(t, s, replay) })
			})
		}
	}
}

// Operations do not overlap, but the next one begins at once, while the pump is
// at any point.
func TestSubscription_matchesModelInEveryCombination(t *testing.T) {
	eachCombination(t, func(t *testing.T, s settings, replay int) {
		random := newRand()
		topic, model := quiet[item](), modelTopic{replay: replay}
		topic.Replay = replay
		number := 0
		// next returns the next value, and whether its publisher has to wait.
		next := func() (v item, wait bool) {
			number++
			v = item{number, random.IntN(20), random.IntN(8)}
			return v, model.wouldWait(v)
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		for range 2 * replay {
			v, _ := next()
			_ = topic.PublishSized(ended, v, s.publishedSize(v)) // no subscription blocks yet
			model.publish(v)
		}
		sub, want := topic.Subscribe(t.Context(), s.options()...), model.subscribe(s)
		for range 15 {
			for range random.IntN(s.limit + 3) {
				v, wait := next()
				if err := topic.PublishSized(ended, v, s.publishedSize(v)); wait {
					require.ErrorIs(t, err, context.Canceled)
				}
				if model.publish(v) {
					model.giveUp()
					model.waiting = nil
				}
				model.leave()
			}
			if random.IntN(2) == 0 {
				synctest.Wait()
			}
			for range random.IntN(s.limit + 3) {
				synctest.Wait() // the pump has the next value
				if v, ok := want.receive(); ok {
					require.Equal(t, v, <-sub.C())
				}
				if random.IntN(2) == 0 {
					require.Equal(t, want.stats(), sub.Stats())
				}
			}
			require.Equal(t, want.stats(), sub.Stats())
			require.Equal(t, want.err, sub.Err())
		}
		topic.Close()
		assert.Len(t, rest(sub.C()), len(want.queue))
	})
}

// The order of concurrent publishers is not defined, so only the limits, the
// counts and the latest value of each key are compared.
func TestSubscription_keepsLimitsInEveryCombination(t *testing.T) {
	eachCombination(t, func(t *testing.T, s settings, replay int) {
		const publishers, values = 4, 60
		topic := quiet[item]()
		topic.Replay = replay
		sub := topic.Subscribe(t.Context(), s.options()...)
		check := func() {
			stats := sub.Stats()
			assert.LessOrEqual(t, stats.Pending, s.limit)
			assert.LessOrEqual(t, stats.HighWater, s.limit)
			if s.bytes > 0 && stats.Pending > 1 {
				assert.LessOrEqual(t, stats.Bytes, s.bytes)
			}
			if s.conflating {
				assert.LessOrEqual(t, stats.Pending, 20)
			}
		}
		offered, last := 0, map[int]int{} // last is by key
		var publishing sync.WaitGroup
		for p := range publishers {
			random := rand.New(rand.NewPCG(uint64(p), 3))
			var all []item
			for n := range values {
				v := item{n + 1, p + publishers*random.IntN(5), random.IntN(8)}
				all = append(all, v)
				if !s.filtering || matchesItem(v) {
					offered++
					last[v.key] = v.n
				}
			}
			publishing.Go(func() {
				for _, v := range all {
					_ = topic.PublishSized(t.Context(), v, s.publishedSize(v))
					check()
				}
			})
		}
		if s.policy != bus.Block { // nothing is received before all is published
			publishing.Wait()
			synctest.Wait()
			check()
		}
		got := make(chan []item, 1)
		go func() { got <- rest(sub.C()) }() // ends with the topic
		publishing.Wait()
		topic.Close()
		received := <-got

		stats := sub.Stats()
		assert.EqualValues(t, len(received), stats.Delivered)
		assert.Zero(t, stats.Pending)
		assert.Zero(t, stats.Bytes)
		if sub.Err() == bus.ErrClosed {
			assert.EqualValues(t, offered, stats.Delivered+stats.Dropped)
		}
		seen := map[int]int{}
		for _, v := range received {
			assert.Greater(t, v.n, seen[v.key], "one publisher has the key")
			seen[v.key] = v.n
		}
		if s.policy == bus.Block {
			assert.Equal(t, last, seen)
		}
		if s.conflating && s.policy == bus.DropOldest {
			assert.Len(t, seen, len(received), "each key once")
		}
	})
}
