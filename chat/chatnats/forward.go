package chatnats

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/events"
)

// Defaults of [ForwardConfig].
const (
	DefaultBuffer   = bus.DefaultLimit
	DefaultPatience = time.Minute
)

// ForwardConfig is the configuration of [Forward]. Its zero value is ready to
// use.
type ForwardConfig struct {
	// ChatID is the chat of events without a chat id. Default: none.
	ChatID events.ID

	// Buffer is how many events may wait while NATS is slow or unreachable.
	// When it is full, Publish blocks, and the socket is not read. Default:
	// DefaultBuffer.
	Buffer int

	// Patience is how long an event may go without acknowledgement. It must be
	// shorter than the stream's window for duplicates. The difference must
	// exceed 4 seconds, or a quarter of the window if that is less. Default:
	// DefaultPatience, or half the window if that is less.
	Patience time.Duration

	// OnRefused is called for each event that can never be stored, with the
	// reason: nats.ErrMaxPayload, nats.ErrPermissionViolation, a
	// *jetstream.APIError of the stream, or the error of the encoder. The event
	// is skipped, and the next ones are forwarded. OnRefused runs in the
	// forwarder's goroutine and delays it. Default: the reason is logged.
	OnRefused func(event events.Event, err error)
}

// A ForwardError reports that a [Forwarding] ended before all events that it
// accepted were acknowledged.
type ForwardError struct {
	// Unconfirmed are the events that were accepted and not acknowledged, in
	// order: first the events that were sent, then the events in the buffer.
	// Some of the sent events may be stored.
	Unconfirmed []events.Event
	Err         error // ErrAway, ErrLeaseLost, or nats.ErrConnectionClosed
}

func (e *ForwardError) Error() string {
	return fmt.Sprintf("chatnats: forwarding ended with %d events unconfirmed: %v", len(e.Unconfirmed), e.Err)
}

// Unwrap returns the cause.
func (e *ForwardError) Unwrap() error { return e.Err }

// ErrAway: JetStream did not acknowledge an event within
// ForwardConfig.Patience.
var ErrAway = errors.New("chatnats: no acknowledgement from JetStream")

// A Forwarding is a running [Forward].
type Forwarding struct {
	done      chan struct{}
	err       error
	confirmed atomic.Uint64
	refused   atomic.Uint64
}

// Wait blocks until the Forwarding ends. It returns nil if ctx ended or the
// source closed, and every accepted event is stored or refused. Otherwise it
// returns a [*ForwardError].
func (f *Forwarding) Wait() error {
	<-f.done
	return f.err
}

// Done returns a channel that is closed when the Forwarding ends.
func (f *Forwarding) Done() <-chan struct{} { return f.done }

// Confirmed returns how many events the stream has acknowledged, duplicates
// included.
func (f *Forwarding) Confirmed() uint64 { return f.confirmed.Load() }

// Refused returns how many events were skipped because they can never be
// stored.
func (f *Forwarding) Refused() uint64 { return f.refused.Load() }

// Forward publishes the events of source, usually the Events of a chat client,
// from now on. Each event is stored once and in order. Forward returns
// immediately. The [Forwarding] continues until ctx ends, the source closes, or
// an event is not acknowledged within cfg.Patience. The package documentation
// describes the behaviour while NATS is unreachable.
//
// If ctx is the context of hold in [RunWithLease], or derived from it, each
// event carries the lease's revision. Readers then recognise events that are
// stored after events of a later revision, and drop them if they would be out
// of order. Forwarding ends with [ErrLeaseLost] when the lease is lost.
//
// Forward returns an error if cfg is invalid or the connection is closed.
func Forward(ctx context.Context, b *Bus, source bus.Source[events.Event], cfg ForwardConfig) (*Forwarding, error) {
	margin := min(2*b.ackTimeout, b.window/4)
	setDefault(&cfg.Buffer, DefaultBuffer)
	setDefault(&cfg.Patience, min(DefaultPatience, b.window/2))
	if cfg.Patience < 0 || cfg.Patience >= b.window-margin {
		return nil, fmt.Errorf("chatnats: ForwardConfig.Patience %v is not %v below the stream's window for duplicates, %v",
			cfg.Patience, margin, b.window)
	}
	in, err := newIngest(b.conn)
	if err != nil {
		return nil, err
	}
	// Not ctx: events that were published before ctx ended are still forwarded.
	sub := source.Subscribe(context.WithoutCancel(ctx),
		bus.Limit(cfg.Buffer), bus.OnOverflow(bus.Block), bus.Name("chatnats.Forward"))
	f := &forwarder{
		Forwarding: &Forwarding{done: make(chan struct{})}, bus: b, cfg: cfg, sub: sub, ingest: in,
		oldest: b.window - margin, left: -1, denied: map[string]denial{},
		encoder: encoder{bus: b, chat: cfg.ChatID, lease: leaseHeader(ctx), id: rand.Text()},
	}
	go f.run(ctx) // ends as documented above
	return f.Forwarding, nil
}
