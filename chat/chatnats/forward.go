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

// ForwardConfig says how events are forwarded. Its zero value is ready to use.
type ForwardConfig struct {
	// ChatID is the chat of events that name none. Default: none.
	ChatID events.ID

	// Buffer is how many events may wait while NATS is slow or away. When it is
	// full, Publish blocks, and with it the socket. Default: DefaultBuffer.
	Buffer int

	// Patience is how long an event may go without acknowledgement. It must be
	// less than the stream's window for duplicates by more than the time that an
	// acknowledgement may take, 4 seconds or a quarter of the window if that is
	// less. Default: DefaultPatience, or half the window if that is less.
	Patience time.Duration

	// OnRefused is called for each event that can never be stored, with the
	// reason: nats.ErrMaxPayload, nats.ErrPermissionViolation, a
	// *jetstream.APIError of the stream, or the error of the encoder. The event
	// is skipped, and those behind it are forwarded. OnRefused runs in the
	// forwarder's goroutine and delays it. Default: the reason is logged.
	OnRefused func(event events.Event, err error)
}

// A ForwardError ends a [Forwarding] before all events that it accepted are
// known to be stored.
type ForwardError struct {
	// Unconfirmed are the events that were accepted and are not known to be in
	// the stream, in order: those that were sent, and those that waited in the
	// buffer. Some of those that were sent may be stored.
	Unconfirmed []events.Event
	Err         error // ErrAway, ErrLeaseLost, or why there is no connection
}

func (e *ForwardError) Error() string {
	return fmt.Sprintf("chatnats: forwarding ended with %d events unconfirmed: %v", len(e.Unconfirmed), e.Err)
}

// Unwrap returns the cause.
func (e *ForwardError) Unwrap() error { return e.Err }

// ErrAway: NATS has not acknowledged an event within ForwardConfig.Patience.
var ErrAway = errors.New("chatnats: no acknowledgement from JetStream")

// A Forwarding is a running [Forward].
type Forwarding struct {
	done      chan struct{}
	err       error
	confirmed atomic.Uint64
	refused   atomic.Uint64
}

// Wait waits for the end and returns why: nil when ctx has ended or the source
// has closed and every event that was accepted is stored or refused, else a
// [*ForwardError].
func (f *Forwarding) Wait() error {
	<-f.done
	return f.err
}

// Done returns a channel that closes at the end.
func (f *Forwarding) Done() <-chan struct{} { return f.done }

// Confirmed returns how many events the stream has acknowledged, duplicates
// included.
func (f *Forwarding) Confirmed() uint64 { return f.confirmed.Load() }

// Refused returns how many events can never be stored and were skipped.
func (f *Forwarding) Refused() uint64 { return f.refused.Load() }

// Forward publishes the events of source, a chat client's Events, from now on:
// each event once and in order. It returns at once. The [Forwarding] goes on
// until ctx ends, the source closes, or an event has gone without
// acknowledgement for cfg.Patience. Package documentation says what happens
// while NATS is away.
//
// If ctx is that of [RunWithLease], or derived from it, the lease's revision
// goes with each event. Readers drop an event that is stored behind one of a
// later revision of the same lease.
//
// The error is about cfg, or that the connection is closed.
func Forward(ctx context.Context, b *Bus, source bus.Source[events.Event], cfg ForwardConfig) (*Forwarding, error) {
	margin := min(2*ackTimeout, b.window/4)
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
	// Not ctx: what was published before ctx ended is still forwarded.
	sub := source.Subscribe(context.WithoutCancel(ctx),
		bus.Limit(cfg.Buffer), bus.OnOverflow(bus.Block), bus.Name("chatnats.Forward"))
	f := &forwarder{
		Forwarding: &Forwarding{done: make(chan struct{})}, bus: b, cfg: cfg, sub: sub, ingest: in,
		oldest: b.window - margin, left: -1, denied: map[string]denial{},
		encoder: encoder{bus: b, chat: cfg.ChatID, lease: leaseHeader(ctx), id: rand.Text()},
	}
	go f.run(ctx) // ends as the comment above says
	return f.Forwarding, nil
}
