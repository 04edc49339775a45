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
	acks    jetstream.AckPolicy
	ttl     time.Duration // how long the pinned reader may be silent

	handle  func(ctx context.Context, d Delivery) error
	taken   func(floor uint64) // called when this reader is pinned; events from floor on follow
	settled func() uint64      // of a Feed: the last sequence to acknowledge
	forgets bool               // after ctx has ended, settled is not known
	queues  *queues            // of a worker: it acknowledges each event; nil for a Feed
	gap     func(Gap)          // called when events may have been lost; nil: logged

	lease     lateness
	gaps      gaps
	delivered uint64 // the last sequence that another reader may have received
	consumer  jetstream.Consumer
	in        *puller
	messages  chan jetstream.Msg // delivered; the server stops before it is full
	pin       string             // "" while this reader is not pinned
	sure      time.Time          // when this reader was last known to be pinned
	fresh     bool               // after a reset, until delivery number 1
	next      uint64             // the number of the next delivery
	last      uint64             // the sequence of the last event handled
	repeated  uint64             // events with a lower sequence may have been handled before
	open      []handled          // of a Feed: handled and not acknowledged
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
	config.AckPolicy = p.acks
	config.AckWait = redelivery
	config.MaxAckPending = unacknowledged
	config.PriorityPolicy = jetstream.PriorityPolicyPinned
	config.PriorityGroups = []string{pinGroup}
	config.PinnedTTL = p.ttl
	consumer, err := b.stream.Consumer(ctx, p.name)
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		consumer, err = b.stream.CreateConsumer(ctx, config)
		if err == nil {
			// The server starts at the first event that the stream has.
			if floor := consumer.CachedInfo().AckFloor.Stream; from.sequence > 1 && floor >= from.sequence {
				p.lost(Gap{from.sequence, floor})
			}
		}
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
	info := p.consumer.CachedInfo()
	p.ttl, p.delivered = info.Config.PinnedTTL, max(p.delivered, info.Delivered.Stream)
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
			if p.queues != nil && p.pin != "" && p.queues.pending() { // its handlers may take long
				if _, err := p.certain(ctx, p.ttl/4); err != nil {
					return err
				}
			}
			if err := p.settle(ctx); err != nil {
				return err
			}
		case <-look.C:
			// An idle reader may not notice that its pin has expired.
			if _, err := p.certain(ctx, p.ttl); err != nil {
				return err
			}
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
	if err != nil {
		return err
	}
	p.delivered = max(p.delivered, info.Delivered.Stream)
	if info.NumAckPending == 0 {
		return nil
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
		if p.queues != nil {
			p.queues.revoke()
		}
		p.repeated = max(meta.Sequence.Stream, p.delivered+1, p.last+1)
		p.pin, p.last = pin, 0
		p.pinned(time.Now())
		p.lease.forget()
		p.gaps.next = 0
		floor, err := p.reset(ctx)
		if err == nil && p.taken != nil {
			p.taken(floor)
		}
		if floor > 1 { // a start at the first event is no gap
			p.gaps.next = floor
		}
		return err
	}
	if len(p.messages) == 0 {
		p.pinned(time.Now()) // the message has just arrived
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
		if pinned, err := p.certain(ctx, p.ttl/2); err != nil || !pinned {
			return err
		}
		if err := p.lookForGap(ctx, meta.Sequence.Stream); err != nil {
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
	if p.queues != nil {
		return p.queues.acknowledge(msg, meta.Sequence.Stream)
	}
	p.open = append(p.open, handled{msg, meta.Sequence.Stream})
	if len(p.messages) == 0 || len(p.open)%ackEvery == 0 {
		return p.settle(ctx)
	}
	return nil
}

// settle acknowledges the settled messages of a Feed.
func (p *pinnedConsumer) settle(ctx context.Context) error {
	if len(p.open) == 0 {
		return nil
	}
	n, upTo := len(p.open), p.settled()
	if ctx.Err() != nil { // upTo may include values of channels that ended with ctx
		return nil
	}
	for n > 0 && p.open[n-1].sequence > upTo {
		n--
	}
	if n == 0 {
		return nil
	}
	if pinned, err := p.certain(ctx, p.ttl/2); err != nil || !pinned {
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

// pinned records that this reader was pinned at a time.
func (p *pinnedConsumer) pinned(at time.Time) {
	p.sure = at
	if p.queues != nil {
		p.queues.confirm(at)
	}
}

// certain reports whether this reader is pinned. It asks the server if the last
// confirmation is older than age. Before an event is handled, that is half of
// the pin's lifetime: a pin cannot expire sooner, because pulls renew it every
// quarter of its lifetime.
func (p *pinnedConsumer) certain(ctx context.Context, age time.Duration) (bool, error) {
	if p.pin == "" {
		return false, nil
	}
	if time.Since(p.sure) < age {
		return true, nil
	}
	asked := time.Now()
	info, err := p.consumer.Info(ctx)
	if err != nil {
		return false, err
	}
	for _, group := range info.PriorityGroups {
		if group.PinnedClientID == p.pin {
			p.pinned(asked)
			return true, nil
		}
	}
	p.delivered = max(p.delivered, info.Delivered.Stream)
	p.unpinned()
	return false, nil
}

// unpinned records that another reader may be pinned.
func (p *pinnedConsumer) unpinned() {
	p.pin, p.open = "", nil
	if p.queues != nil {
		p.queues.revoke()
	}
}

// lookForGap reports the events that the stream has dropped before this reader
// received them.
func (p *pinnedConsumer) lookForGap(ctx context.Context, sequence uint64) error {
	gap, found, err := p.gaps.see(ctx, sequence)
	if err == nil && found {
		p.lost(gap)
	}
	return err
}

func (p *pinnedConsumer) lost(gap Gap) {
	p.bus.lost(p.name, gap)
	if p.gap != nil {
		p.gap(gap)
	}
}

// recover resets the consumer if this reader is still pinned. If it is not, the
// next message has another pin.
func (p *pinnedConsumer) recover(ctx context.Context) error {
	if p.pin == "" {
		return nil
	}
	if pinned, err := p.certain(ctx, 0); err != nil || !pinned {
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
	if p.queues != nil {
		p.queues.drain()
	}
	defer func() {
		p.unpinned()
		p.last = 0
	}()
	if p.pin == "" {
		return
	}
	if p.forgets {
		p.open = nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), longPause)
	defer cancel()
	_ = p.settle(ctx) // on failure, the messages are delivered again
	pinned, err := p.certain(ctx, p.ttl/2)
	if err == nil && pinned && p.bus.conn.FlushWithContext(ctx) == nil {
		_ = p.bus.stream.UnpinConsumer(ctx, p.name, pinGroup) // on failure, the pin expires
	}
}
