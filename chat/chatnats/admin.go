package chatnats

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// A ReaderInfo is the state of a group or of a durable Feed.
type ReaderInfo struct {
	Name           string
	Pending        uint64 // events that were not delivered yet
	Unacknowledged int    // events that were delivered and not acknowledged
	Active         int    // partitions of the group, or Feeds, that have a reader
}

const (
	groupConsumer = "group-"
	feedConsumer  = "feed-"
)

// Groups returns the groups of [Work] that exist, in the order of their names.
// A group exists until [RemoveGroup] is called.
func Groups(ctx context.Context, b *Bus) ([]ReaderInfo, error) {
	return b.readers(ctx, func(consumer string) (string, bool) {
		name, group := strings.CutPrefix(consumer, groupConsumer)
		last := strings.LastIndexByte(name, '-')
		return name[:max(last, 0)], group && last > 0
	})
}

// Durables returns the durable Feeds that exist, in the order of their names. A
// durable Feed exists until [RemoveDurable] is called.
func Durables(ctx context.Context, b *Bus) ([]ReaderInfo, error) {
	return b.readers(ctx, func(consumer string) (string, bool) { return strings.CutPrefix(consumer, feedConsumer) })
}

func (b *Bus) readers(ctx context.Context, nameOf func(consumer string) (string, bool)) ([]ReaderInfo, error) {
	found := map[string]ReaderInfo{}
	list := b.stream.ListConsumers(ctx)
	for info := range list.Info() {
		name, ok := nameOf(info.Name)
		if !ok {
			continue
		}
		r := found[name]
		r.Name = name
		r.Pending += info.NumPending
		r.Unacknowledged += info.NumAckPending
		for _, group := range info.PriorityGroups {
			if group.PinnedClientID != "" {
				r.Active++
			}
		}
		found[name] = r
	}
	if err := list.Err(); err != nil {
		return nil, err
	}
	all := make([]ReaderInfo, 0, len(found))
	for _, name := range slices.Sorted(maps.Keys(found)) {
		all = append(all, found[name])
	}
	return all, nil
}

// RemoveGroup deletes the positions of a group. Its workers end with an error.
// It returns jetstream.ErrConsumerNotFound if there is no such group.
func RemoveGroup(ctx context.Context, b *Bus, name string) error {
	removed := false
	for n := range b.partitions {
		switch err := b.stream.DeleteConsumer(ctx, groupConsumerOf(name, n)); {
		case err == nil:
			removed = true
		case !errors.Is(err, jetstream.ErrConsumerNotFound):
			return err
		}
	}
	if !removed {
		return jetstream.ErrConsumerNotFound
	}
	return nil
}

// RemoveDurable deletes the position of a durable Feed. A Feed that runs ends
// with an error. It returns jetstream.ErrConsumerNotFound if there is no such
// Feed.
func RemoveDurable(ctx context.Context, b *Bus, name string) error {
	return b.stream.DeleteConsumer(ctx, feedConsumer+name)
}

// Stats has the counters of a Bus since Open.
type Stats struct {
	Forwarded uint64 // events that the stream has acknowledged, repetitions included
	Refused   uint64 // events that Forward skipped
	Handled   uint64 // events that a handler of Work has handled
	Failed    uint64 // attempts of handlers that failed
	Dead      uint64 // dead letters
	Served    uint64 // requests and questions that Serve accepted

	// Gaps counts the ranges of events that the stream dropped before a reader
	// of this Bus received them. Each partition of a group counts its own.
	Gaps uint64

	Leases      int    // leases that this Bus holds now
	LeasesLost  uint64 // tenures that ended with ErrLeaseLost
	LeasesMoved uint64 // tenures that ended with ErrLeaseMoved
}

type counters struct {
	forwarded, refused, handled, failed, dead, served, gaps atomic.Uint64
	leases                                                  atomic.Int64
	leasesLost, leasesMoved                                 atomic.Uint64
}

// reserve counts a lease, unless the limit is reached.
func (c *counters) reserve(limit int) bool {
	for {
		held := c.leases.Load()
		if held >= int64(limit) {
			return false
		}
		if c.leases.CompareAndSwap(held, held+1) {
			return true
		}
	}
}

// Stats returns the current counters. It is cheap enough for each scrape of a
// monitoring system.
func (b *Bus) Stats() Stats {
	c := &b.count
	return Stats{
		Forwarded: c.forwarded.Load(), Refused: c.refused.Load(),
		Handled: c.handled.Load(), Failed: c.failed.Load(), Dead: c.dead.Load(),
		Served: c.served.Load(), Gaps: c.gaps.Load(), Leases: int(c.leases.Load()),
		LeasesLost: c.leasesLost.Load(), LeasesMoved: c.leasesMoved.Load(),
	}
}

// Health returns nil while the connection to NATS is established. Otherwise it
// returns nats.ErrDisconnected, or nats.ErrConnectionClosed with the last error
// of the connection. While nats.go reconnects, nats.ReconnectErrHandler
// receives the cause of each failed attempt. Health sends no request: while
// JetStream or the stream is not available, it returns nil, and [Bus.Ping]
// returns an error.
func (b *Bus) Health() error {
	err := nats.ErrDisconnected
	switch b.conn.Status() {
	case nats.CONNECTED, nats.DRAINING_SUBS, nats.DRAINING_PUBS:
		return nil
	case nats.CLOSED:
		err = nats.ErrConnectionClosed
	}
	if last := b.conn.LastError(); last != nil {
		return fmt.Errorf("%w: %w", err, last)
	}
	return err
}

// Ping asks JetStream for the state of the stream. It returns an error of the
// connection or of JetStream, or that of ctx.
func (b *Bus) Ping(ctx context.Context) error {
	if err := b.Health(); err != nil {
		return err
	}
	_, err := b.stream.Info(ctx)
	return err
}

// lost logs and counts the events that a reader did not receive.
func (b *Bus) lost(reader string, gap Gap) {
	b.count.gaps.Add(1)
	b.log.Warn("chatnats: events are lost", "reader", reader, "from", gap.From, "to", gap.To)
}
