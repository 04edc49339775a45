package chatnats

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/events"
)

// SubscribeConfig says which events a [Feed] has, and from where on. Its zero
// value is all chats, from now.
type SubscribeConfig struct {
	// Chats are the chats whose events are wanted. Default: all of them.
	Chats []events.ID

	// Sequence is the first event wanted; see Delivery.Sequence. Default: 0, from now.
	Sequence uint64

	// Time is when the first event wanted was stored. Default: zero, from now.
	Time time.Time

	// Durable is the name under which JetStream remembers how far the readers
	// have come: another Feed of that name goes on from there, and Sequence and Time are
	// for the first one alone. One Feed of a name is served at a time, and another one
	// waits in reserve. Letters, digits, - and _. Default: nothing is remembered.
	Durable string
}

// A Feed has the topics of a chat client, on any machine. Subscriptions live
// until their ctx ends or Run returns; subscribing before Run loses nothing.
type Feed struct {
	Processing   bus.Source[events.AIProcessing]
	Tokens       bus.Source[events.AIToken]
	Messages     bus.Source[events.AIMessage]
	Errors       bus.Source[events.AIError]
	ToolCalls    bus.Source[events.AIToolCall]
	ToolResults  bus.Source[events.AIToolResult]
	ChatMessages bus.Source[events.ChatMessage]
	Presence     bus.Source[events.Presence]

	// Events carries all of those, in the order of the stream: in each chat,
	// that of the wire.
	Events bus.Source[events.Event]

	// Deliveries carries the same with their places in the stream.
	Deliveries bus.Source[Delivery]

	bus    *Bus
	cfg    SubscribeConfig
	start  uint64 // the first sequence wanted; 0 for that of cfg.Time
	lease  lateness
	topics *topics
}

// Subscribe makes a Feed. It asks JetStream where "now" is, and does not
// deliver yet; that is Run's task. The error is JetStream's or about cfg. ctx
// bounds Subscribe alone.
func Subscribe(ctx context.Context, b *Bus, cfg SubscribeConfig) (*Feed, error) {
	switch {
	case cfg.Sequence != 0 && !cfg.Time.IsZero():
		return nil, errors.New("chatnats: SubscribeConfig has both a Sequence and a Time")
	case cfg.Durable != "" && !validPrefix.MatchString(cfg.Durable):
		return nil, fmt.Errorf("chatnats: SubscribeConfig.Durable %q has more than letters, digits, - and _", cfg.Durable)
	}
	f := &Feed{bus: b, cfg: cfg, start: cfg.Sequence, topics: newTopics(b), lease: lateness{bus: b}}
	if cfg.Sequence == 0 && cfg.Time.IsZero() {
		last, err := b.lastSequence(ctx)
		if err != nil {
			return nil, err
		}
		f.start = last + 1
	}
	if cfg.Durable != "" {
		if err := b.openConsumer(ctx, f.consumer(), f.policy()); err != nil {
			return nil, err
		}
	}
	t := f.topics
	f.Processing, f.Tokens, f.Messages, f.Errors = t.processing.Source(), t.tokens.Source(), t.messages.Source(), t.errors.Source()
	f.ToolCalls, f.ToolResults = t.toolCalls.Source(), t.toolResults.Source()
	f.ChatMessages, f.Presence = t.chatMessages.Source(), t.presence.Source()
	f.Events, f.Deliveries = t.events.Source(), t.deliveries.Source()
	return f, nil
}

// Run delivers until ctx ends, and then closes the topics and returns nil; or
// until the stream or the durable consumer is gone or the connection is closed,
// and then returns why. While NATS is away it waits. It is called once.
//
// A subscription that blocks (bus.Block) holds the Feed up; any other one is dealt
// with by its own policy.
func (f *Feed) Run(ctx context.Context) error {
	defer f.topics.close()
	var err error
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

// follow reads on from f.start, and keeps it, until something may have been lost.
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
	// In nats.go's own goroutine: another one would cost more than all the rest.
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
		_ = f.bus.stream.DeleteConsumer(tidying, consumer.CachedInfo().Name) // else it goes when it is abandoned
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

// take publishes a message, if it is the next one that the consumer has delivered.
func (f *Feed) take(ctx context.Context, msg jetstream.Msg, next uint64) error {
	meta, err := msg.Metadata()
	if err != nil {
		return err
	}
	if meta.Sequence.Consumer != next {
		return errGap
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
		return nil // all there is: a filter that lets everything pass costs the server as much as any other
	}
	filters := make([]string, 0, len(f.cfg.Chats))
	for _, id := range f.cfg.Chats {
		filters = append(filters, f.bus.chat(id))
	}
	return filters
}

func (f *Feed) policy() start {
	if f.start != 0 {
		return start{sequence: f.start}
	}
	return start{time: f.cfg.Time}
}

// A start is where a consumer begins that JetStream does not know yet.
type start struct {
	sequence uint64 // or, if it is 0,
	time     time.Time
}

func (s start) config() jetstream.ConsumerConfig {
	if s.sequence != 0 {
		return jetstream.ConsumerConfig{DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: s.sequence}
	}
	return jetstream.ConsumerConfig{DeliverPolicy: jetstream.DeliverByStartTimePolicy, OptStartTime: &s.time}
}
