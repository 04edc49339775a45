package chatnats

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/events"
)

// SubscribeConfig selects the events of a [Feed]. Its zero value selects all
// chats, from now.
type SubscribeConfig struct {
	// Chats are the chats to read. Default: all.
	Chats []events.ID

	// Sequence is that of the first event to read; see Delivery.Sequence. If
	// the stream has dropped it, Feed.Gaps reports that. 1 selects the first
	// event that the stream has. Default: 0, from now.
	Sequence uint64

	// Time selects the events that were stored at this time or later. Events
	// that the stream dropped before the Feed receives the first one are not
	// reported. Default: zero, from now.
	Time time.Time

	// Durable is the name under which JetStream stores the position of the
	// readers. Another Feed of that name continues from there, and its Sequence
	// and Time have no effect. Only one Feed of a name receives events at a
	// time; others stand by. The name consists of letters, digits, - and _.
	// Default: the position is not stored.
	Durable string

	// ManualAck selects that the readers of a durable Feed acknowledge events
	// with [Feed.Ack]. At most 1,024 events can be unacknowledged. Default:
	// false, an event is acknowledged when the readers have received it from
	// their channels. Then a reader that fails loses the event that it was
	// working on.
	ManualAck bool
}

// A Feed has the topics of a chat client, in any process. A subscription lasts
// until its ctx ends or Run returns. A subscription that is made before Run
// misses no event.
type Feed struct {
	Processing   bus.Source[events.AIProcessing]
	Tokens       bus.Source[events.AIToken]
	Messages     bus.Source[events.AIMessage]
	Errors       bus.Source[events.AIError]
	ToolCalls    bus.Source[events.AIToolCall]
	ToolResults  bus.Source[events.AIToolResult]
	ChatMessages bus.Source[events.ChatMessage]
	Presence     bus.Source[events.Presence]
	Raw          bus.Source[RawEvent] // of ForwardRaw

	// Events carries the events of all topics above in the order of the stream.
	// For each chat, this is the order in which its holder received them.
	Events bus.Source[events.Event]

	// Deliveries carries the same events with their positions in the stream.
	Deliveries bus.Source[Delivery]

	// Gaps carries the ranges of events that the stream dropped before this
	// Feed received them. A subscription that was too slow for its own limit
	// reports that itself.
	Gaps bus.Source[Gap]

	bus    *Bus
	cfg    SubscribeConfig
	start  uint64 // the first sequence to read; 0 for cfg.Time
	lease  lateness
	gaps   gaps
	acked  atomic.Uint64 // by Ack
	topics *topics

	dropped *Gap // before a durable Feed was created; nil for none
}

// Subscribe returns a Feed, which delivers events when Run is called. It reads
// the current end of the stream if cfg has no start, and creates the consumer
// of a durable Feed. It returns an error of JetStream, or one about an invalid
// field of cfg. ctx bounds only Subscribe.
func Subscribe(ctx context.Context, b *Bus, cfg SubscribeConfig) (*Feed, error) {
	switch {
	case cfg.Sequence != 0 && !cfg.Time.IsZero():
		return nil, errors.New("chatnats: SubscribeConfig has both a Sequence and a Time")
	case cfg.Durable != "" && !validPrefix.MatchString(cfg.Durable):
		return nil, fmt.Errorf("chatnats: SubscribeConfig.Durable %q has more than letters, digits, - and _", cfg.Durable)
	}
	if cfg.ManualAck && cfg.Durable == "" {
		return nil, errors.New("chatnats: SubscribeConfig.ManualAck needs Durable")
	}
	f := &Feed{bus: b, gaps: gaps{bus: b, filtered: len(cfg.Chats) > 0}, cfg: cfg, start: cfg.Sequence, topics: newTopics(b), lease: lateness{bus: b}}
	if cfg.Sequence == 0 && cfg.Time.IsZero() {
		last, err := b.lastSequence(ctx)
		if err != nil {
			return nil, err
		}
		f.start = last + 1
	}
	if f.start > 1 { // a start at the first event is no gap
		f.gaps.next = f.start
	}
	if cfg.Durable != "" {
		p := f.consumer()
		p.gap = func(gap Gap) { f.dropped = &gap }
		if err := b.openConsumer(ctx, p, f.policy()); err != nil {
			return nil, err
		}
	}
	t := f.topics
	f.Processing, f.Tokens, f.Messages, f.Errors = t.processing.Source(), t.tokens.Source(), t.messages.Source(), t.errors.Source()
	f.ToolCalls, f.ToolResults = t.toolCalls.Source(), t.toolResults.Source()
	f.ChatMessages, f.Presence, f.Raw = t.chatMessages.Source(), t.presence.Source(), t.raw.Source()
	f.Events, f.Deliveries, f.Gaps = t.events.Source(), t.deliveries.Source(), t.gaps.Source()
	return f, nil
}

// Ack acknowledges the events of a durable Feed with SubscribeConfig.ManualAck,
// up to a Delivery.Sequence. Another Feed of that name then starts after them.
// Ack does not block. An acknowledgement reaches the server within a fraction
// of a second, or when Run returns.
func (f *Feed) Ack(sequence uint64) {
	for {
		acked := f.acked.Load()
		if sequence <= acked || f.acked.CompareAndSwap(acked, sequence) {
			return
		}
	}
}

func (f *Feed) lost(gap Gap) { f.topics.gaps.Publish(gap) }

// Run delivers events until ctx ends, and then returns nil. It returns an error
// if the connection is closed, or the stream or the durable consumer was
// deleted. While NATS is unreachable, Run waits. When it returns, all topics
// are closed. It must be called only once.
//
// A full subscription with bus.Block blocks the whole Feed. Other overflow
// policies affect only their own subscription.
func (f *Feed) Run(ctx context.Context) error {
	defer f.topics.close()
	var err error
	if f.dropped != nil {
		f.lost(*f.dropped)
	}
	if f.cfg.Durable != "" {
		err = f.runDurable(ctx)
	} else {
		err = f.bus.persist(ctx, "feed", f.follow)
	}
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// follow reads from f.start, and advances it, until an event may have been
// lost.
func (f *Feed) follow(ctx context.Context) error {
	config := f.policy().config()
	config.AckPolicy = jetstream.AckNonePolicy
	config.FilterSubjects = f.filters()
	config.MemoryStorage, config.Replicas = true, 1
	config.InactiveThreshold = abandoned
	consumer, err := f.bus.stream.CreateConsumer(ctx, config)
	if err != nil {
		return err
	}
	// take runs in nats.go's goroutine: another one would cost more than the
	// rest.
	taking, cancel := context.WithCancel(ctx)
	broken := make(chan error, 1)
	next := uint64(1)
	in, err := f.bus.consume(consumer, func(msg jetstream.Msg) {
		if len(broken) > 0 {
			return
		}
		if err := f.take(taking, msg, next); err != nil {
			broken <- err
		}
		next++
	}, jetstream.PullMaxMessages(pull))
	if err != nil {
		cancel()
		return err
	}
	defer func() {
		cancel()
		in.stop()
		tidying, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		// On failure, the server deletes it after the inactivity threshold.
		_ = f.bus.stream.DeleteConsumer(tidying, consumer.CachedInfo().Name)
	}()
	select {
	case err := <-broken:
		return err
	case err := <-in.trouble:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// take publishes a message if it is the next delivery.
func (f *Feed) take(ctx context.Context, msg jetstream.Msg, next uint64) error {
	meta, err := msg.Metadata()
	if err != nil {
		return err
	}
	if meta.Sequence.Consumer != next {
		return errGap
	}
	gap, found, err := f.gaps.see(ctx, meta.Sequence.Stream)
	if err != nil {
		return err
	}
	if found {
		f.bus.lost("feed", gap)
		f.lost(gap)
	}
	d, unreadable := deliveryOf(msg, meta)
	drop, err := f.lease.drop(ctx, msg.Headers(), msg.Subject(), meta.Sequence.Stream, d.Event)
	if err != nil {
		return err
	}
	if drop {
		f.bus.log.Debug("chatnats: late event", "subject", msg.Subject(), "sequence", meta.Sequence.Stream)
	} else if unreadable != nil {
		f.bus.unreadable(msg, unreadable)
	} else if err := f.topics.publish(ctx, d); err != nil {
		return err
	}
	f.start = meta.Sequence.Stream + 1
	return nil
}

func (f *Feed) filters() []string {
	if len(f.cfg.Chats) == 0 {
		return nil // no filter: even a filter that matches all costs the server time
	}
	filters := make([]string, 0, len(f.cfg.Chats))
	for _, id := range f.cfg.Chats {
		filters = append(filters, f.bus.chat(id))
	}
	slices.Sort(filters)
	return slices.Compact(filters) // the server refuses equal filters
}

func (f *Feed) policy() start {
	if f.start != 0 {
		return start{sequence: f.start}
	}
	return start{time: f.cfg.Time}
}

// A start is where a new consumer starts to read.
type start struct {
	sequence uint64 // 0 for time
	time     time.Time
}

func (s start) config() jetstream.ConsumerConfig {
	if s.sequence != 0 {
		return jetstream.ConsumerConfig{DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: s.sequence}
	}
	return jetstream.ConsumerConfig{DeliverPolicy: jetstream.DeliverByStartTimePolicy, OptStartTime: &s.time}
}
