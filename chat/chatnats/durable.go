package chatnats

import (
	"context"
	"math"

	"github.com/seed67206a74/parley/events"
)

// DefaultTTL is how long a reader may be silent before another one takes over.
const DefaultTTL = shortest

// consumer returns the consumer of a durable Feed. Its events are acknowledged when the
// readers have taken them from their channels.
func (f *Feed) consumer() *pinnedConsumer {
	r := &reading{topics: f.topics, published: map[events.Key]int{}}
	return &pinnedConsumer{
		bus: f.bus, name: "feed-" + f.cfg.Durable, filters: f.filters(), ttl: DefaultTTL, lease: lateness{bus: f.bus},
		handle: r.publish, settled: r.settled, taken: func(uint64) { r.open = nil },
	}
}

func (f *Feed) runDurable(ctx context.Context) error { return f.consumer().run(ctx) }

// reading knows which of the events that were published wait in a channel. In
// each topic that is always the newest ones.
type reading struct {
	topics    *topics
	published map[events.Key]int // by kind
	all       int                // of them together
	open      []place            // of what may wait, in order
	read      uint64             // the sequence up to which nothing does
}

// A place is where an event is among those of its kind, and among all.
type place struct {
	sequence uint64
	key      events.Key
	own, all int
}

func (r *reading) publish(ctx context.Context, d Delivery) error {
	if err := r.topics.publish(ctx, d); err != nil {
		return err
	}
	key := d.Event.Key()
	r.published[key]++
	r.all++
	r.open = append(r.open, place{d.Sequence, key, r.published[key], r.all})
	return nil
}

// settled returns the sequence up to which every reader has taken everything.
func (r *reading) settled() uint64 {
	shared := r.all - max(r.topics.events.Stats().Total.Pending, r.topics.deliveries.Stats().Total.Pending)
	own := map[events.Key]int{}
	for len(r.open) > 0 {
		p := r.open[0]
		taken, known := own[p.key]
		if !known {
			taken = r.published[p.key] - r.topics.pending(p.key)
			own[p.key] = taken
		}
		if p.all > shared || p.own > taken {
			return r.read
		}
		r.read = p.sequence
		r.open = r.open[1:]
	}
	r.open = nil
	return math.MaxUint64
}
