package chatnats

import (
	"context"
	"math"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/seed67206a74/parley/events"
)

// DefaultTTL is how long a reader may be silent before another reader takes
// over.
const DefaultTTL = shortest

// consumer returns the consumer of a durable Feed. Its events are acknowledged
// when the readers have received them from their channels.
func (f *Feed) consumer() *pinnedConsumer {
	r := &reading{topics: f.topics, published: map[events.Key]int{}}
	p := &pinnedConsumer{
		bus: f.bus, name: feedConsumer + f.cfg.Durable, filters: f.filters(), acks: jetstream.AckAllPolicy, ttl: DefaultTTL,
		lease: lateness{bus: f.bus},
		gaps:  f.gaps, gap: f.lost, handle: r.publish, settled: r.settled, forgets: true, taken: func(uint64) { r.open = nil },
	}
	if f.cfg.ManualAck {
		p.handle, p.settled, p.forgets, p.taken = f.topics.publish, f.acked.Load, false, nil
	}
	return p
}

func (f *Feed) runDurable(ctx context.Context) error { return f.consumer().run(ctx) }

// reading tracks which of the published events still wait in a channel. In each
// topic these are always the newest ones.
type reading struct {
	topics    *topics
	published map[events.Key]int // by kind
	all       int                // of all kinds
	open      []place            // events that may still wait, in order
	read      uint64             // the sequence up to which no event waits
}

// A place is the position of an event among the events of its kind, and among
// all.
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

// settled returns the sequence up to which every reader has received every
// event.
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
