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

// Publishers, readers under every policy with every option, and subscriptions
// that come and go, all at once. A reader checks the order of each publisher's
// values, and that none is missing if its policy drops none, between replay and live
// neither; a reader that stays also accounts for every one of them.
func TestTopic_accountsForAllValuesUnderConcurrency(t *testing.T) { everythingAtOnce(t, 1000) }

// In a bubble a goroutine that is left, or a wait for what never comes, fails
// the test.
func TestTopic_leavesNoGoroutineUnderConcurrency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { everythingAtOnce(t, 300) })
}

const publishers = 4

// A numbered value is the n-th of its publisher.
type numbered struct{ publisher, n int }

func wanted(v numbered) bool { return v.n%3 != 0 }

func weight(v numbered) int { return 1 + v.n%4 }

func remainder(v numbered) numbered { return numbered{v.publisher, v.n % 7} }

// A demand is the options of a subscription to numbered values.
type demand struct {
	policy                          bus.Policy
	limit                           int
	selecting, weighing, conflating bool
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
	if d.selecting {
		options = append(options, bus.Filter(wanted))
	}
	if d.weighing {
		options = append(options, bus.LimitBytes(2*d.limit, weight))
	}
	if d.conflating {
		options = append(options, bus.Conflate(remainder))
	}
	return options
}

// place returns which of the values that d wants v is, of its publisher's.
func (d demand) place(v numbered) int {
	if d.selecting {
		return v.n - v.n/3 - 1
	}
	return v.n
}

// reader receives and checks what d can rely on.
type reader struct {
	t *testing.T
	demand
	last     map[numbered]int // the place of the last one, for each publisher or remainder
	received int
}

// read receives until the channel closes, or closes the subscription itself after
// stopAfter values.
func (r *reader) read(sub *bus.Subscription[numbered], stopAfter int) {
	r.last = make(map[numbered]int)
	for v := range sub.C() {
		of := numbered{publisher: v.publisher}
		if r.conflating {
			of = remainder(v)
		}
		last, before := r.last[of]
		place := r.place(v)
		ok := !r.selecting || assert.True(r.t, wanted(v))
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

// account checks that everything was received or dropped, the subscription having
// been there from the first of a publisher's values to the last.
func (r *reader) account(sub *bus.Subscription[numbered], values int) {
	perPublisher := r.place(numbered{n: values - 1}) + 1
	if last := (numbered{n: values - 1}); r.selecting && !wanted(last) {
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
				if v := (numbered{p, n}); !r.selecting || wanted(v) {
					assert.Equal(r.t, r.place(v), r.last[remainder(v)], r.demand)
				}
			}
		}
	}
}

func everythingAtOnce(t *testing.T, values int) {
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

// Whatever else goes on, a look at the counts sees no value twice and none
// lost, and never more waiting than the limit.
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
