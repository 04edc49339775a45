package chatnats

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/events"
	"github.com/synadia-io/orbit.go/jetstreamext"
)

// Defaults of [ForwardConfig].
const (
	DefaultBuffer   = bus.DefaultLimit
	DefaultPatience = time.Minute
)

const (
	idle       = 20 * time.Millisecond // without an event for that long, what was sent is committed
	lingering  = 5 * time.Second       // how long acknowledgements are waited for after ctx has ended
	ackTimeout = 2 * time.Second       // after which a batch counts as lost
	flow       = 500                   // events for one acknowledgement, at most
	flows      = 16                    // acknowledgements that may be missing
	firstPause = 50 * time.Millisecond // between attempts, doubled each time
	longPause  = time.Second
)

// ForwardConfig says how events are forwarded. Its zero value is ready to use.
type ForwardConfig struct {
	// ChatID is the chat of events that name none. Default: none.
	ChatID events.ID

	// Buffer is how many events may wait while NATS is slow or away. One more
	// holds up whoever publishes them, and so, in the end, the socket.
	// Default: DefaultBuffer.
	Buffer int

	// Patience is how long an event that was accepted may go without
	// acknowledgement. It must be less than the stream's window for duplicates, so
	// that no event can be stored twice. Default: DefaultPatience, or half the window if
	// that is less.
	Patience time.Duration
}

// A ForwardError ends a [Forwarding] that could not keep its promise.
type ForwardError struct {
	// Unconfirmed are the events that were accepted and of which it is not known
	// that the stream has them, in order. They may be there.
	Unconfirmed []events.Event
	Err         error // why: ErrAway, ErrLeaseLost, or what cannot be encoded
}

func (e *ForwardError) Error() string {
	return fmt.Sprintf("chatnats: forwarding has ended with %d events unconfirmed: %v", len(e.Unconfirmed), e.Err)
}

// Unwrap returns the cause.
func (e *ForwardError) Unwrap() error { return e.Err }

// ErrAway says that NATS did not acknowledge for too long.
var ErrAway = errors.New("chatnats: no acknowledgement from JetStream")

// A Forwarding brings the events of a source to the stream.
type Forwarding struct {
	done      chan struct{}
	err       error
	confirmed atomic.Uint64
}

// Wait waits for the end and returns why: nil when ctx has ended or the source
// has closed and every event that was accepted is in the stream, or a
// [*ForwardError].
func (f *Forwarding) Wait() error {
	<-f.done
	return f.err
}

// Done returns a channel that closes at the end.
func (f *Forwarding) Done() <-chan struct{} { return f.done }

// Confirmed returns how many events the stream has acknowledged.
func (f *Forwarding) Confirmed() uint64 { return f.confirmed.Load() }

// Forward publishes what comes from source, a chat client's Events, from now
// on: each event once, in the order in which it came. It returns at once; the
// [Forwarding] goes on until ctx ends, the source closes, or an event has gone
// without acknowledgement for cfg.Patience. Package documentation says what
// happens while NATS is away.
//
// The error is about cfg.
func Forward(ctx context.Context, b *Bus, source bus.Source[events.Event], cfg ForwardConfig) (*Forwarding, error) {
	setDefault(&cfg.Buffer, DefaultBuffer)
	setDefault(&cfg.Patience, min(DefaultPatience, b.window/2))
	if cfg.Patience < 0 || cfg.Patience >= b.window {
		return nil, fmt.Errorf("chatnats: ForwardConfig.Patience %v is not below the stream's window for duplicates, %v", cfg.Patience, b.window)
	}
	// Not ctx: what has been published before ctx ended is still to be taken.
	sub := source.Subscribe(context.WithoutCancel(ctx),
		bus.Limit(cfg.Buffer), bus.OnOverflow(bus.Block), bus.Name("chatnats.Forward"))
	f := &forwarder{Forwarding: &Forwarding{done: make(chan struct{})}, bus: b, cfg: cfg, sub: sub, id: rand.Text()}
	go f.run(ctx) // ends as the comment above says
	return f.Forwarding, nil
}

// A forwarder is the goroutine of a Forwarding.
//
// It sends in batches of JetStream's fast ingest: the server takes what
// belongs to a batch in its order and without gaps, or not at all. When a batch
// is lost, what it has not acknowledged goes out again, and the stream drops what
// it has already. The old copies and the new ones are both in order, so the
// first of each are too. What may be on its way already is published again one by
// one, each acknowledged before the next: in a batch, a server takes an event
// for stored that it has only seen, and such an event can still be lost with that server.
type forwarder struct {
	*Forwarding
	bus *Bus
	cfg ForwardConfig
	sub *bus.Subscription[events.Event]

	id      string // with count, the identity of events that have none
	count   uint64
	window  []accepted                 // what is not acknowledged, in order
	batch   jetstreamext.FastPublisher // nil when none is open
	sent    int                        // how many of window are in the batch
	acked   uint64                     // how many of the batch are acknowledged
	doubt   int                        // how many of window may be on their way from a batch that is lost
	refused error                      // what the last batch was lost for
}

type accepted struct {
	event events.Event
	msg   *nats.Msg
	since time.Time
}

func (f *forwarder) run(ctx context.Context) {
	defer close(f.done)
	defer f.sub.Close() // whoever publishes must not wait any more
	err := f.forward(ctx)
	if err == nil {
		err = fenced(ctx) // nothing more then: another holder may be at work
	}
	if err == nil {
		err = f.finish(ctx)
	}
	if err != nil {
		unconfirmed := make([]events.Event, 0, len(f.window))
		for _, a := range f.window {
			unconfirmed = append(unconfirmed, a.event)
		}
		f.err = &ForwardError{Unconfirmed: unconfirmed, Err: err}
	}
}

// forward returns nil when ctx has ended or the source has closed.
func (f *forwarder) forward(ctx context.Context) error {
	var pause time.Duration
	timer := time.NewTimer(idle)
	defer timer.Stop()
	for fenced(ctx) == nil && ctx.Err() == nil {
		if pause > 0 {
			timer.Reset(pause)
			select {
			case <-timer.C:
			case <-ctx.Done():
				return nil
			}
		}
		if f.sent < len(f.window) {
			if err := f.send(); err != nil {
				if pause, err = f.again(pause, err); err != nil {
					return err
				}
				continue
			}
			pause = 0
		}
		select { // the short way
		case event, open := <-f.sub.C():
			if !open {
				return nil
			}
			if err := f.accept(event); err != nil {
				return err
			}
			continue
		default:
		}
		var quiet <-chan time.Time
		if len(f.window) > 0 {
			timer.Reset(idle)
			quiet = timer.C
		}
		select {
		case event, open := <-f.sub.C():
			if !open {
				return nil
			}
			if err := f.accept(event); err != nil {
				return err
			}
		case <-quiet:
			if err := f.commit(ctx); err != nil {
				if pause, err = f.again(pause, err); err != nil {
					return err
				}
			}
		case <-ctx.Done():
		}
	}
	return nil
}

// finish takes what was published before the end, and waits until the stream has it
// all, or for lingering.
func (f *forwarder) finish(ctx context.Context) error {
	left := f.sub.Stats().Pending
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), min(lingering, f.cfg.Patience))
	defer cancel()
	for ; left > 0; left-- {
		event, open := <-f.sub.C()
		if !open {
			break
		}
		if err := f.accept(event); err != nil {
			return err
		}
	}
	var pause time.Duration
	for len(f.window) > 0 {
		err := ctx.Err()
		switch {
		case err != nil:
			return errors.Join(ErrAway, f.refused)
		case f.sent < len(f.window):
			err = f.send()
		default:
			err = f.commit(ctx)
		}
		if err != nil {
			if pause, err = f.again(pause, err); err != nil {
				return err
			}
			select {
			case <-time.After(pause):
			case <-ctx.Done():
			}
		}
	}
	return nil
}

// accept takes an event into the window.
func (f *forwarder) accept(event events.Event) error {
	msg, err := f.bus.encode(event, f.cfg.ChatID, func() string {
		f.count++
		return f.id + "/" + strconv.FormatUint(f.count, 10)
	})
	f.window = append(f.window, accepted{event, msg, time.Now()})
	return err
}

// send sends the next event of the window that the batch has not. What is sent
// without a connection would go out whenever there is one again, which may be too late.
func (f *forwarder) send() error {
	if !f.bus.conn.IsConnected() {
		return nats.ErrDisconnected
	}
	if f.doubt > 0 {
		return f.sendAlone()
	}
	if f.batch == nil {
		batch, err := jetstreamext.NewFastPublisher(f.bus.js,
			jetstreamext.FastPublishFlowControl{Flow: flow, MaxOutstandingAcks: flows, AckTimeout: ackTimeout})
		if err != nil {
			return err
		}
		f.batch, f.acked = batch, 0
	}
	ack, err := f.batch.AddMsg(f.window[f.sent].msg)
	if err != nil {
		return err
	}
	f.sent++
	f.confirm(ack.AckSequence)
	return nil
}

// sendAlone sends the first event of the window and waits until it is stored.
func (f *forwarder) sendAlone() error {
	ctx, cancel := context.WithTimeout(context.Background(), ackTimeout)
	defer cancel()
	f.window[0].msg.Reply = ""
	if _, err := f.bus.js.PublishMsg(ctx, f.window[0].msg); err != nil {
		return err
	}
	f.doubt--
	f.sent, f.acked = 1, 0
	f.confirm(1)
	return nil
}

// commit ends the batch, which makes the server acknowledge all of it.
func (f *forwarder) commit(ctx context.Context) error {
	if f.batch == nil {
		return nil
	}
	ack, err := f.batch.Close(ctx)
	if err != nil {
		return err
	}
	f.confirm(ack.BatchSize)
	if f.sent > 0 {
		return errors.New("chatnats: the batch ended early")
	}
	f.batch = nil
	return nil
}

// confirm takes what the batch has acknowledged out of the window.
func (f *forwarder) confirm(upTo uint64) {
	if upTo <= f.acked {
		return
	}
	n := min(int(upTo-f.acked), f.sent)
	clear(f.window[:n])
	f.window = f.window[n:]
	f.sent -= n
	f.acked = upTo
	f.confirmed.Add(uint64(n))
	if len(f.window) == 0 && cap(f.window) > flow*flows {
		f.window = slices.Clip(f.window[:0])
	}
}

// again lets go of a batch that is lost, and returns how long to wait for the next
// attempt; or an error when patience has come to its end.
func (f *forwarder) again(pause time.Duration, err error) (time.Duration, error) {
	f.doubt = max(f.doubt, f.sent+1)
	f.doubt = min(f.doubt, len(f.window))
	f.batch, f.sent, f.refused = nil, 0, err
	if len(f.window) > 0 && time.Since(f.window[0].since) > f.cfg.Patience {
		return 0, errors.Join(ErrAway, err)
	}
	return min(max(2*pause, firstPause), longPause), nil
}
