package chatnats

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	pinGroup       = "readers"             // a consumer's only priority group
	pinHeader      = "Nats-Pin-Id"         // set by the server for the pinned reader
	unacknowledged = 1024                  // limit of delivered, unacknowledged messages
	ackEvery       = 64                    // handled messages for one acknowledgement, at most
	ackSoon        = 50 * time.Millisecond // interval of acknowledgements of settled messages
	redelivery     = time.Hour             // never reached: the reader resets its consumer
	shortest       = 4 * time.Second       // minimum for a pin: a pull lasts a second or more
)

// A pinnedConsumer is a durable consumer that one reader at a time reads in
// order, while others stand by. It is JetStream's pinned consumer with two
// additions. First, JetStream delivers unacknowledged messages again, but
// between new ones. So a reader resets the consumer to its acknowledgement
// floor when it becomes the pinned reader or sees a gap. A reset restarts the
// numbers of the deliveries. Second, a reader that was stopped for a while asks
// whether it is still pinned before it handles the messages that it has.
type pinnedConsumer struct {
	bus     *Bus
	name    string
	filters []string
	ttl     time.Duration // how long the pinned reader may be silent

	handle  func(ctx context.Context, d Delivery) error
	taken   func(floor uint64) // called when this reader is pinned; events from floor on follow
	settled func() uint64      // the last sequence to acknowledge; nil for the last handled one

	lease    lateness
	consumer jetstream.Consumer
	in       *puller
	messages chan jetstream.Msg // delivered; the server stops before it is full
	pin      string             // "" while this reader is not pinned
	sure     time.Time          // when this reader was last known to be pinned
	fresh    bool               // after a reset, until delivery number 1
	next     uint64             // the number of the next delivery
	last     uint64             // the sequence of the last event handled
	repeated uint64             // events with a lower sequence may have been handled before
	open     []handled          // handled and not acknowledged
}

type handled struct {
	msg      jetstream.Msg
	sequence uint64
}

// openConsumer creates a durable consumer. If it exists, openConsumer checks
// its configuration.
func (b *Bus) openConsumer(ctx context.Context, p *pinnedConsumer, from start) error {
	config := from.config()
	config.Durable = p.name
	config.FilterSubjects = p.filters
	config.AckPolicy = jetstream.AckAllPolicy
	config.AckWait = redelivery
	config.MaxAckPending = unacknowledged
	config.PriorityPolicy = jetstream.PriorityPolicyPinned
	config.PriorityGroups = []string{pinGroup}
	config.PinnedTTL = p.ttl
	consumer, err := b.stream.Consumer(ctx, p.name)
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		consumer, err = b.stream.CreateConsumer(ctx, config)
	}
	if errors.Is(err, jetstream.ErrConsumerExists) { // created meanwhile, with another start
		consumer, err = b.stream.Consumer(ctx, p.name)
	}
	if err != nil {
		return err
	}
	return checkConsumer(consumer.CachedInfo().Config, config)
}

// run reads until ctx ends, or handle returns a handlingError. It then releases
// the pin, so that the next reader need not wait.
func (p *pinnedConsumer) run(ctx context.Context) error {
	return p.bus.persist(ctx, p.name, p.read)
}

func (p *pinnedConsumer) read(ctx context.Context) error {
	var err error
	if p.consumer, err = p.bus.stream.Consumer(ctx, p.name); err != nil {
		return err
	}
	p.ttl = p.consumer.CachedInfo().Config.PinnedTTL
	expiry := max(p.ttl/4, time.Second)
	// Twice the limit: a reset can deliver the same number again.
	messages := make(chan jetstream.Msg, 2*unacknowledged)
	stopped := make(chan struct{})
	p.messages = messages
	p.in, err = p.bus.consume(p.consumer, func(msg jetstream.Msg) {
		select {
		case messages <- msg:
		case <-stopped:
		}
	}, jetstream.PullMaxMessages(pull),
		jetstream.PullExpiry(expiry), jetstream.PullHeartbeat(expiry/2), jetstream.PullPriorityGroup(pinGroup))
	if err != nil {
		return err
	}
	defer func() {
		close(stopped)
		p.in.stop()
		p.release(ctx)
	}()
	tick, look := time.NewTicker(ackSoon), time.NewTicker(expiry)
	defer tick.Stop()
	defer look.Stop()
	for {
		select {
		case msg := <-p.messages:
			if err := p.take(ctx, msg); err != nil {
				return err
			}
		case err := <-p.in.trouble:
			if errors.Is(err, jetstream.ErrConsumerDeleted) || errors.Is(err, jetstream.ErrConnectionClosed) {
				return err
			}
			if err := p.recover(ctx); err != nil {
				return err
			}
		case <-tick.C:
			if len(p.open) > 0 {
				if err := p.settle(ctx); err != nil {
					return err
				}
			}
		case <-look.C:
			if p.pin == "" {
				if err := p.relieve(ctx); err != nil {
					return err
				}
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// relieve resets a consumer that has no pinned reader and has unacknowledged
// messages. The server pins a reader only when it has a message to deliver; if
// all were delivered to the last reader, there is none.
func (p *pinnedConsumer) relieve(ctx context.Context) error {
	info, err := p.consumer.Info(ctx)
	if err != nil || info.NumAckPending == 0 {
		return err
	}
	for _, group := range info.PriorityGroups {
		if group.PinnedClientID != "" {
			return nil
		}
	}
	_, err = p.bus.stream.ResetConsumer(ctx, p.name)
	return err
}

// take handles a message if it is the next one.
func (p *pinnedConsumer) take(ctx context.Context, msg jetstream.Msg) error {
	meta, err := msg.Metadata()
	if err != nil {
		return err
	}
	if pin := msg.Headers().Get(pinHeader); pin != p.pin { // this reader is pinned now
		p.pin, p.sure, p.last, p.repeated = pin, time.Now(), 0, meta.Sequence.Stream
		p.lease.forget()
		floor, err := p.reset(ctx)
		if err == nil && p.taken != nil {
			p.taken(floor)
		}
		return err
	}
	if len(p.messages) == 0 {
		p.sure = time.Now() // the message has just arrived
	}
	switch {
	case p.fresh && meta.Sequence.Consumer != 1:
		return nil // delivered before the reset
	case meta.Sequence.Consumer != p.next:
		return p.recover(ctx)
	}
	p.fresh = false
	p.next++
	if meta.Sequence.Stream > p.last {
		if pinned, err := p.certain(ctx); err != nil || !pinned {
			return err
		}
		d, unreadable := deliveryOf(msg, meta)
		d.Redelivered = d.Sequence < p.repeated
		drop, err := p.lease.drop(ctx, msg.Headers(), msg.Subject(), meta.Sequence.Stream, d.Event)
		if err != nil {
			return err
		}
		if drop {
			p.bus.log.Debug("chatnats: late event", "subject", msg.Subject(), "sequence", meta.Sequence.Stream)
		} else if unreadable != nil {
			p.bus.unreadable(msg, unreadable)
		} else if err := p.handle(ctx, d); err != nil {
			return err
		}
		p.last = meta.Sequence.Stream
	}
	p.open = append(p.open, handled{msg, meta.Sequence.Stream})
	if len(p.messages) == 0 || len(p.open)%ackEvery == 0 {
		return p.settle(ctx)
	}
	return nil
}

// settle acknowledges the settled messages.
func (p *pinnedConsumer) settle(ctx context.Context) error {
	n := len(p.open)
	if p.settled != nil {
		upTo := p.settled()
		if ctx.Err() != nil { // upTo includes values of channels that ended with ctx
			return nil
		}
		for n > 0 && p.open[n-1].sequence > upTo {
			n--
		}
	}
	if n == 0 {
		return nil
	}
	if pinned, err := p.certain(ctx); err != nil || !pinned {
		return err
	}
	if err := p.open[n-1].msg.Ack(); err != nil { // acknowledges all earlier ones too
		return err
	}
	clear(p.open[:n])
	if p.open = p.open[n:]; len(p.open) == 0 {
		p.open = nil
	}
	return nil
}

// certain reports whether this reader is pinned. It asks the server if half of
// the pin's lifetime has passed since the last confirmation. A pin cannot
// expire sooner, because pulls renew it every quarter of its lifetime.
func (p *pinnedConsumer) certain(ctx context.Context) (bool, error) {
	if time.Since(p.sure) < p.ttl/2 {
		return true, nil
	}
	asked := time.Now()
	info, err := p.consumer.Info(ctx)
	if err != nil {
		return false, err
	}
	for _, group := range info.PriorityGroups {
		if group.PinnedClientID == p.pin && p.pin != "" {
			p.sure = asked
			return true, nil
		}
	}
	p.pin, p.open = "", nil
	return false, nil
}

// recover resets the consumer if this reader is still pinned. If it is not, the
// next message has another pin.
func (p *pinnedConsumer) recover(ctx context.Context) error {
	if p.pin == "" {
		return nil
	}
	p.sure = time.Time{}
	if pinned, err := p.certain(ctx); err != nil || !pinned {
		return err
	}
	_, err := p.reset(ctx)
	return err
}

// reset makes the consumer deliver again from its acknowledgement floor.
func (p *pinnedConsumer) reset(ctx context.Context) (floor uint64, err error) {
	answer, err := p.bus.stream.ResetConsumer(ctx, p.name)
	if err != nil {
		return 0, fmt.Errorf("reset: %w", err)
	}
	p.fresh, p.next, p.open = true, 1, nil
	return answer.ResetSeq, nil
}

// release releases the pin, if this reader has it.
func (p *pinnedConsumer) release(ctx context.Context) {
	if p.pin == "" {
		return
	}
	if p.settled != nil {
		p.open = nil // it is no longer known which events the readers have received
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), longPause)
	defer cancel()
	_ = p.settle(ctx) // on failure, the messages are delivered again
	if pinned, err := p.certain(ctx); err == nil && pinned && p.bus.conn.FlushWithContext(ctx) == nil {
		_ = p.bus.stream.UnpinConsumer(ctx, p.name, pinGroup) // on failure, the pin expires
	}
	p.pin, p.open, p.last = "", nil, 0
}
