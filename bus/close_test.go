package bus_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"

	"github.com/seed67206a74/parley/bus"
)

// ending is a subscription that is at its limit and about to end.
type ending struct {
	topic  *bus.Topic[int]
	sub    *bus.Subscription[int]
	cancel context.CancelFunc
	onSlow func()
}

// ends are the ways in which a subscription can end.
var ends = map[string]struct {
	end  func(*ending)
	want error
}{
	"Close":        {func(e *ending) { e.sub.Close() }, bus.ErrClosed},
	"its context":  {func(e *ending) { e.cancel(); synctest.Wait() }, context.Canceled},
	"topic closed": {func(e *ending) { e.topic.Close() }, bus.ErrClosed},
	"limit hit": {func(e *ending) {
		for n := fullAt; e.sub.Err() == nil; n++ {
			e.topic.Publish(n)
		}
	}, bus.ErrSlowConsumer},
	"all at once": {func(e *ending) { e.sub.Close(); e.cancel(); e.topic.Close(); e.topic.Publish(fullAt) }, bus.ErrClosed},
}

// moments end a subscription at some point and return the values received. They
// return when all goroutines have ended. In a bubble a goroutine that waits for
// ever fails the test.
var moments = map[string]func(e *ending, end func()) (received []int){
	"while it is read": func(e *ending, end func()) []int {
		go end() // ends when it has ended the subscription
		return rest(e.sub.C())
	},
	"in the receiving goroutine": func(e *ending, end func()) []int {
		received := take(e.sub.C(), 1)
		end()
		return append(received, rest(e.sub.C())...)
	},
	"twice at once": func(e *ending, end func()) []int {
		go e.sub.Close() // ends with the subscription
		e.sub.Close()
		end()
		return rest(e.sub.C())
	},
	"during the drain": func(e *ending, end func()) []int {
		e.topic.Close()
		received := take(e.sub.C(), 1)
		end()
		return append(received, rest(e.sub.C())...)
	},
	"before anything is read": func(e *ending, end func()) []int {
		end()
		synctest.Wait()
		return rest(e.sub.C())
	},
}

// fullAt is the limit of the subscriptions: enough for the channel and a
// backlog.
const fullAt = 200

// atTheLimit runs test in a bubble for each policy and kind of subscription.
func atTheLimit(t *testing.T, test func(t *testing.T, policy bus.Policy, e *ending)) {
	kinds := map[string][]bus.Option{
		"plain":     nil,
		"conflated": {bus.Conflate(itself)},
		"sized":     {bus.LimitBytes(1<<20, itself)},
	}
	for _, policy := range []bus.Policy{bus.Fail, bus.Block, bus.DropOldest, bus.DropNewest} {
		for kind, opts := range kinds {
			t.Run(policy.String()+", "+kind, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					e := &ending{topic: quiet[int]()}
					e.topic.OnSlow = func(s bus.SlowEvent) { e.onSlow() }
					e.onSlow = func() {}
					ctx, cancel := context.WithCancel(t.Context())
					e.cancel = cancel
					e.sub = e.topic.Subscribe(ctx, append(opts, bus.Limit(fullAt), bus.OnOverflow(policy))...)
					for n := range fullAt {
						e.topic.Publish(n)
					}
					synctest.Wait()
					test(t, policy, e)
					cancel()
				})
			})
		}
	}
}

func TestSubscription_endsConsistentlyAtAnyPoint(t *testing.T) {
	const waiting = 3
	for way, w := range ends {
		for moment, play := range moments {
			t.Run(way+" "+moment, func(t *testing.T) {
				atTheLimit(t, func(t *testing.T, policy bus.Policy, e *ending) {
					if way == "limit hit" && (policy != bus.Fail || moment == "while it is read") {
						return // not possible, or the reader makes room
					}
					var publishers sync.WaitGroup
					if policy == bus.Block {
						for range waiting {
							publishers.Go(func() { e.topic.Publish(fullAt) })
						}
						synctest.Wait()
					}
					received := play(e, func() { w.end(e) })
					publishers.Wait()
					assert.True(t, slices.IsSorted(received))
					stats := e.sub.Stats()
					assert.EqualValues(t, len(received), stats.Delivered)
					assert.Zero(t, stats.Pending)
					if policy == bus.Block {
						assert.EqualValues(t, fullAt+waiting, stats.Delivered+stats.Dropped)
					}
					want := w.want
					if moment == "twice at once" || moment == "during the drain" {
						want = bus.ErrClosed // later reasons do not replace the first
					}
					assert.Equal(t, want, e.sub.Err())
				})
			})
		}
	}
}

// OnSlow runs in the publisher's goroutine, during a publish that may block.
func TestOnSlow_mayEndSubscription(t *testing.T) {
	for way, w := range ends {
		t.Run(way, func(t *testing.T) {
			atTheLimit(t, func(t *testing.T, policy bus.Policy, e *ending) {
				if way == "limit hit" {
					return // the limit has been hit already
				}
				e.onSlow = func() { w.end(e) }
				e.topic.Publish(fullAt)
				received := rest(e.sub.C())
				stats := e.sub.Stats()
				assert.EqualValues(t, fullAt+1, stats.Delivered+stats.Dropped)
				assert.EqualValues(t, len(received), stats.Delivered)
				want := w.want
				if policy == bus.Fail {
					want = bus.ErrSlowConsumer
				}
				assert.Equal(t, want, e.sub.Err())
			})
		})
	}
}

func TestTopic_staysUsableWhilePublisherIsBlocked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		topic := quiet[int]()
		full := topic.Subscribe(t.Context(), bus.Limit(1), bus.OnOverflow(bus.Block))
		other := topic.Subscribe(t.Context())
		topic.Publish(0)
		go topic.Publish(1) // ends when full has room
		synctest.Wait()

		late := topic.Subscribe(t.Context())
		go topic.Publish(2) // ends when full has room again
		synctest.Wait()
		assert.Equal(t, []int{0, 1, 2}, take(other.C(), 3))
		assert.Equal(t, 2, <-late.C())
		other.Close()
		assert.Equal(t, 2, topic.Stats().Subscriptions)

		// The reader of full may publish too, with an ended context.
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		assert.ErrorIs(t, topic.PublishContext(ctx, 3), context.Canceled)
		assert.Equal(t, 3, <-late.C())

		assert.Len(t, take(full.C(), 2), 2)
		synctest.Wait()
		topic.Close()
		rest(full.C())
		assert.Equal(t, bus.Stats{Delivered: 3, Dropped: 1, HighWater: 1}, full.Stats())
	})
}
