package chatnats

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	pinGroup   = "readers"             // a consumer's only priority group
	pinHeader  = "Nats-Pin-Id"         // set by the server on what it delivers to the pinned reader
	ahead      = 1024                  // messages that may be delivered and not acknowledged
	ackEvery   = 64                    // handled messages for one acknowledgement, at most
	ackSoon    = 50 * time.Millisecond // after which one goes out for what is settled
	redelivery = time.Hour             // never waited for: a line resets its consumer instead
	shortest   = 4 * time.Second       // the least that a pin can last: a pull lasts a second or more
)

// A line is a durable consumer that is read in order by one reader at a time,
// while others wait in reserve. It is JetStream's pinned consumer with two things
// added. JetStream delivers again what was not acknowledged, but in no order with
// what is new; so a reader that becomes the pinned one, or that sees a gap, resets the
// consumer to its acknowledgement floor, from where deliveries are numbered anew.
// And a reader that was stopped for a while asks whether it is still the pinned one
// before it handles what it has.
type pinnedConsumer struct {
	bus     *Bus
	name    string
	filters []string
	ttl     time.Duration // how long the pinned reader may be silent

	handle  func(ctx context.Context, d Delivery) error
	taken   func(floor uint64) // called when the reader has become the pinned one: events from floor on will come
	settled func() uint64      // up to which sequence what was handled can be acknowledged; nil for all of it

	consumer jetstream.Consumer
	in       *puller
	messages chan jetstream.Msg // that were delivered; the server stops before it is full
	pin      string             // "" while another one has it
	sure     time.Time          // when the pin was certainly ours
	fresh    bool               // the consumer was reset: number 1 comes next
	next     uint64             // the number of the next delivery
	last     uint64             // the sequence of the last event handled
	repeated uint64             // events below may have been handled before
	open     []handled          // and not acknowledged
}

type handled struct {
	msg      jetstream.Msg
	sequence uint64
}

// openLine makes the consumer of a line, unless it is there.
func (b *Bus) openLine(ctx context.Context, l *pinnedConsumer, from start) error {
	_, err := b.stream.Consumer(ctx, l.name)
	if !errors.Is(err, jetstream.ErrConsumerNotFound) {
		return err
	}
	config := from.config()
	config.Durable = l.name
	config.FilterSubjects = l.filters
	config.AckPolicy = jetstream.AckAllPolicy
	config.AckWait = redelivery
	config.MaxAckPending = ahead
	config.PriorityPolicy = jetstream.PriorityPolicyPinned
	config.PriorityGroups = []string{pinGroup}
	config.PinnedTTL = l.ttl
	_, err = b.stream.CreateConsumer(ctx, config)
	if errors.Is(err, jetstream.ErrConsumerExists) { // another reader was faster, with another beginning
		return nil
	}
	return err
}

// run reads until ctx ends, or handle returns a handlingError. It then lets go of
// the pin, so that the next reader need not wait.
func (l *pinnedConsumer) run(ctx context.Context) error {
	return l.bus.persist(ctx, l.name, l.read)
}

func (l *pinnedConsumer) read(ctx context.Context) error {
	var err error
	if l.consumer, err = l.bus.stream.Consumer(ctx, l.name); err != nil {
		return err
	}
	l.ttl = l.consumer.CachedInfo().Config.PinnedTTL
	expiry := max(l.ttl/4, time.Second)
	// Twice what may be ahead: there is as much again after a reset.
	messages := make(chan jetstream.Msg, 2*ahead)
	stopped := make(chan struct{})
	l.messages = messages
	l.in, err = l.bus.consume(l.consumer, func(msg jetstream.Msg) {
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
		l.in.stop()
		l.release(ctx)
	}()
	tick, look := time.NewTicker(ackSoon), time.NewTicker(expiry)
	defer tick.Stop()
	defer look.Stop()
	for {
		select {
		case msg := <-l.messages:
			if err := l.take(ctx, msg); err != nil {
				return err
			}
		case err := <-l.in.trouble:
			if errors.Is(err, jetstream.ErrConsumerDeleted) || errors.Is(err, jetstream.ErrConnectionClosed) {
				return err
			}
			if err := l.recover(ctx); err != nil {
				return err
			}
		case <-tick.C:
			if len(l.open) > 0 {
				if err := l.settle(ctx); err != nil {
					return err
				}
			}
		case <-look.C:
			if l.pin == "" {
				if err := l.relieve(ctx); err != nil {
					return err
				}
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// relieve has a consumer deliver again that nobody reads any more, and that has
// delivered all it has: without a message, no reader becomes the pinned one.
func (l *pinnedConsumer) relieve(ctx context.Context) error {
	info, err := l.consumer.Info(ctx)
	if err != nil || info.NumAckPending == 0 {
		return err
	}
	for _, group := range info.PriorityGroups {
		if group.PinnedClientID != "" {
			return nil
		}
	}
	_, err = l.bus.stream.ResetConsumer(ctx, l.name)
	return err
}

// take handles a message, if it is the next one.
func (l *pinnedConsumer) take(ctx context.Context, msg jetstream.Msg) error {
	meta, err := msg.Metadata()
	if err != nil {
		return err
	}
	if pin := msg.Headers().Get(pinHeader); pin != l.pin { // this reader has become the pinned one
		l.pin, l.sure, l.last, l.repeated = pin, time.Now(), 0, meta.Sequence.Stream
		floor, err := l.reset(ctx)
		if err == nil && l.taken != nil {
			l.taken(floor)
		}
		return err
	}
	if len(l.messages) == 0 {
		l.sure = time.Now() // it has come just now
	}
	switch {
	case l.fresh && meta.Sequence.Consumer != 1:
		return nil // from before the reset
	case meta.Sequence.Consumer != l.next:
		return l.recover(ctx)
	}
	l.fresh = false
	l.next++
	if meta.Sequence.Stream > l.last {
		if pinned, err := l.certain(ctx); err != nil || !pinned {
			return err
		}
		d, err := deliveryOf(msg, meta)
		d.Redelivered = d.Sequence < l.repeated
		if err != nil {
			l.bus.unreadable(msg, err)
		} else if err := l.handle(ctx, d); err != nil {
			return err
		}
		l.last = meta.Sequence.Stream
	}
	l.open = append(l.open, handled{msg, meta.Sequence.Stream})
	if len(l.messages) == 0 || len(l.open)%ackEvery == 0 {
		return l.settle(ctx)
	}
	return nil
}

// settle acknowledges what is ready for it.
func (l *pinnedConsumer) settle(ctx context.Context) error {
	n := len(l.open)
	if l.settled != nil {
		upTo := l.settled()
		if ctx.Err() != nil { // what waited in a channel that ended with it counts as read otherwise
			return nil
		}
		for n > 0 && l.open[n-1].sequence > upTo {
			n--
		}
	}
	if n == 0 {
		return nil
	}
	if pinned, err := l.certain(ctx); err != nil || !pinned {
		return err
	}
	if err := l.open[n-1].msg.Ack(); err != nil { // stands for all before it
		return err
	}
	clear(l.open[:n])
	if l.open = l.open[n:]; len(l.open) == 0 {
		l.open = nil
	}
	return nil
}

// certain reports whether this reader is the pinned one. It asks if it has not
// been told for so long that it may be no more: the pin outlasts the pulls, which
// go out every quarter of its lifetime.
func (l *pinnedConsumer) certain(ctx context.Context) (bool, error) {
	if time.Since(l.sure) < l.ttl/2 {
		return true, nil
	}
	asked := time.Now()
	info, err := l.consumer.Info(ctx)
	if err != nil {
		return false, err
	}
	for _, group := range info.PriorityGroups {
		if group.PinnedClientID == l.pin && l.pin != "" {
			l.sure = asked
			return true, nil
		}
	}
	l.pin, l.open = "", nil
	return false, nil
}

// recover starts over from the acknowledgement floor if this reader is still the
// pinned one. If not, the next message tells.
func (l *pinnedConsumer) recover(ctx context.Context) error {
	if l.pin == "" {
		return nil
	}
	l.sure = time.Time{}
	if pinned, err := l.certain(ctx); err != nil || !pinned {
		return err
	}
	_, err := l.reset(ctx)
	return err
}

// reset makes the consumer deliver again from its acknowledgement floor on.
func (l *pinnedConsumer) reset(ctx context.Context) (floor uint64, err error) {
	answer, err := l.bus.stream.ResetConsumer(ctx, l.name)
	if err != nil {
		return 0, fmt.Errorf("reset: %w", err)
	}
	l.fresh, l.next, l.open = true, 1, nil
	return answer.ResetSeq, nil
}

// release gives the pin back, if this reader has it.
func (l *pinnedConsumer) release(ctx context.Context) {
	if l.pin == "" {
		return
	}
	if l.settled != nil {
		l.open = nil // it can no longer be known what the readers have taken
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), longPause)
	defer cancel()
	_ = l.settle(ctx) // what is not acknowledged comes again
	if pinned, err := l.certain(ctx); err == nil && pinned && l.bus.conn.FlushWithContext(ctx) == nil {
		_ = l.bus.stream.UnpinConsumer(ctx, l.name, pinGroup) // else the pin ends with its time
	}
	l.pin, l.open, l.last = "", nil, 0
}
