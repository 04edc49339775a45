package chaos

import (
	"fmt"
	"testing"
	"time"

	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/conn"
	"github.com/stretchr/testify/assert"
)

// readers are slow and stuck readers of all events, one for each policy. They
// subscribe before the first event.
type readers struct {
	all  *bus.Subscription[conn.Event] // a reader that keeps up
	slow *bus.Subscription[conn.Event] // with the policy Block
	fail *bus.Subscription[conn.Event] // stuck, as the rest

	dropOldest, dropNewest *bus.Subscription[conn.Event]
}

// stuckLimit is the limit of the stuck readers.
const stuckLimit = 20

// startReaders subscribes. The slow reader ends with the client.
func startReaders(t testing.TB, client *chat.Client, all *bus.Subscription[conn.Event]) *readers {
	subscribe := func(limit int, policy bus.Policy) *bus.Subscription[conn.Event] {
		return client.Raw.Subscribe(t.Context(), bus.Limit(limit), bus.OnOverflow(policy))
	}
	r := &readers{
		all: all, slow: subscribe(1, bus.Block), fail: subscribe(stuckLimit, bus.Fail),
		dropOldest: subscribe(stuckLimit, bus.DropOldest), dropNewest: subscribe(stuckLimit, bus.DropNewest),
	}
	go func() { // ends when the client is closed
		for range r.slow.C() {
			<-time.After(100 * time.Microsecond)
		}
	}()
	return r
}

// check compares the counts of the readers: each has seen every event, in one
// of three ways.
func (r *readers) check(t *testing.T) {
	t.Helper()
	for name, sub := range map[string]*bus.Subscription[conn.Event]{
		"slow": r.slow, "DropOldest": r.dropOldest, "DropNewest": r.dropNewest,
	} {
		before := total(r.all.Stats())
		got := total(sub.Stats())
		after := total(r.all.Stats())
		// One of both may not yet have counted an event.
		assert.GreaterOrEqual(t, got+1, before, name)
		assert.LessOrEqual(t, got, after+1, name)
		assert.NoError(t, sub.Err(), name)
	}
	for _, sub := range []*bus.Subscription[conn.Event]{r.dropOldest, r.dropNewest} {
		assert.LessOrEqual(t, sub.Stats().Pending, stuckLimit)
		assert.Zero(t, sub.Stats().Delivered)
	}
	assert.Zero(t, r.slow.Stats().Dropped)
	if total(r.all.Stats()) > stuckLimit {
		assert.ErrorIs(t, r.fail.Err(), bus.ErrSlowConsumer)
	}
}

func total(s bus.Stats) int { return int(s.Delivered+s.Dropped) + s.Pending }

func (r *readers) summary() string {
	return fmt.Sprintf("%d events, %d and %d dropped", total(r.all.Stats()), r.dropOldest.Stats().Dropped, r.dropNewest.Stats().Dropped)
}
