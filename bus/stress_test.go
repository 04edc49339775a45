package bus_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"

	"github.com/seed67206a74/parley/bus"
)

// Runs publishers, readers under every policy with every option, and
// short-lived subscriptions concurrently. A reader checks the order of each
// publisher's values, and that none is missing if its policy drops none, also
// between replay and live values. A permanent reader also accounts for every
// value.
func TestTopic_accountsForAllValuesUnderConcurrency(t *testing.T) { stress(t, 400) }

// In a bubble a leaked goroutine or a wait without end fails the test.
func TestTopic_leavesNoGoroutineUnderConcurrency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { stress(t, 300) })
}

const publishers = 4

// A numbered value is the n-th of its publisher.
type numbered struct{ publisher, n int }

func matches(v numbered) bool { return v.n%3 != 0 }

func numberedSize(v numbered) int { return 1 + v.n%4 }

func remainder(v numbered) numbered { return numbered{v.publisher, v.n % 7} }

// A demand is the options of a subscription to numbered values.
type demand struct {
	policy                        bus.Policy
	limit                         int
	filtering, sizing, conflating bool
}

// demands returns all combinations.
func demands(limits ...int) (all []demand) {
	for _, policy := range []bus.Policy{bus.Fail, bus.Block, bus.DropOldest, bus.DropNewest} {
		for _, limit := range limits {
			for bits := range 8 {
				all = append(all, demand{policy, limit, bits&1 != 0, bits&2 != 0, bits&4 != 0})
			}
		}
	}
	return all
}

func (d demand) options() []bus.Option {
	options := []bus.Option{bus.OnOverflow(d.policy), bus.Limit(d.limit)}
	if d.filtering {
		options = append(options, bus.Filter(matches))
	}
	if d.sizing {
		options = append(options, bus.LimitBytes(2*d.limit, numberedSize))
	}
	if d.conflating {
		options = append(options, bus.Conflate(remainder))
	}
	return options
}

// place returns v's index among its publisher's values that pass d's filter.
func (d demand) place(v numbered) int {
	if d.filtering {
		return v.n - v.n/3 - 1
	}
	return v.n
}

// reader receives and checks the guarantees for its demand.
type reader struct {
	t *testing.T
	demand
	last     map[numbered]int // the place of the last one, for each publisher or remainder
	received int
}

// read receives until the channel closes, or closes the subscription itself
// after stopAfter values.
func (r *reader) read(sub *bus.Subscription[numbered], stopAfter int) {
	r.last = make(map[numbered]int)
	for v := range sub.C() {
		of := numbered{publisher: v.publisher}
		if r.conflating {
			of = remainder(v)
		}
		last, before := r.last[of]
		place := r.place(v)
		ok := !r.filtering || assert.True(r.t, matches(v))
		switch {
		case before && !r.conflating && r.policy <= bus.Block:
			ok = ok && assert.Equal(r.t, last+1, place, r.demand)
		case before:
			ok = ok && assert.Greater(r.t, place, last, r.demand)
		}
		if r.received++; !ok || r.received == stopAfter {
			sub.Close()
		}
		r.last[of] = place
	}
	stats := sub.Stats()
	assert.EqualValues(r.t, r.received, stats.Delivered, r.demand)
	assert.Zero(r.t, stats.Pending, r.demand)
	assert.Zero(r.t, stats.Bytes, r.demand)
	assert.LessOrEqual(r.t, stats.HighWater, r.limit, r.demand)
}

// account checks that every value was received or dropped. The subscription
// must have existed from the first published value to the last.
func (r *reader) account(sub *bus.Subscription[numbered], values int) {
	perPublisher := r.place(numbered{n: values - 1}) + 1
	if last := (numbered{n: values - 1}); r.filtering && !matches(last) {
		perPublisher = r.place(numbered{n: values - 2}) + 1
	}
	offered := publishers * perPublisher
	stats := sub.Stats()
	if errors.Is(sub.Err(), bus.ErrSlowConsumer) {
		assert.Equal(r.t, bus.Fail, r.policy)
		if !r.conflating {
			assert.EqualValues(r.t, 1, stats.Dropped, r.demand)
		}
		return
	}
	assert.ErrorIs(r.t, sub.Err(), bus.ErrClosed, r.demand)
	assert.EqualValues(r.t, offered, stats.Delivered+stats.Dropped, r.demand)
	if r.policy <= bus.Block && !r.conflating {
		assert.Equal(r.t, offered, r.received, r.demand)
	}
	if r.policy <= bus.Block && r.conflating { // the latest of each
		for p := range publishers {
			for n := values - 7; n < values; n++ {
				if v := (numbered{p, n}); !r.filtering || matches(v) {
					assert.Equal(r.t, r.place(v), r.last[remainder(v)], r.demand)
				}
			}
		}
	}
}

func stress(t *testing.T, values int) {
	topic := quiet[numbered]()
	topic.Replay = 50
	var reading, coming, publishing sync.WaitGroup
	for _, d := range demands(1, 10, 150) {
		sub := topic.Subscribe(t.Context(), d.options()...)
		reading.Go(func() { // ends with the topic
			r := reader{t: t, demand: d}
			r.read(sub, -1)
			r.account(sub, values)
		})
	}
	for p := range publishers {
		publishing.Go(func() {
			for n := range values {
				topic.Publish(numbered{p, n})
			}
		})
	}
	done := make(chan struct{})
	for seed := range uint64(4) {
		coming.Go(func() { // ends when the publishers are done
			random := rand.New(rand.NewPCG(seed, 2))
			for all := demands(1 + random.IntN(300)); ; {
				select {
				case <-done:
					return
				default:
				}
				ctx, cancel := context.WithCancel(t.Context())
				r := reader{t: t, demand: all[random.IntN(len(all))]}
				sub := topic.Subscribe(ctx, r.options()...)
				if random.IntN(2) == 0 {
					reading.Go(cancel)
				}
				r.read(sub, 1+random.IntN(400))
				cancel()
			}
		})
	}
	publishing.Wait()
	close(done)
	topic.Close()
	coming.Wait()
	reading.Wait()
	assert.False(t, topic.Active())
}
