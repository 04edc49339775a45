package chat

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
)

// Defaults of [Delivery].
const (
	DefaultAckTimeout           = 10 * time.Second
	DefaultMaxPendingDeliveries = 1024
)

// Delivery says how [Client.Deliver] goes about it.
type Delivery struct {
	// AckTimeout is how long an acknowledgement is waited for before the
	// message is sent again. Default: DefaultAckTimeout.
	AckTimeout time.Duration

	// MaxAttempts is how often a message is sent at most. Default: 0, until it
	// is acknowledged or the caller's ctx ends.
	MaxAttempts int

	// MaxPending is how many messages may wait for delivery; one more is
	// rejected with ErrQueueFull. Default: DefaultMaxPendingDeliveries.
	MaxPending int
}

func (d *Delivery) setDefaults() {
	setDefault(&d.AckTimeout, DefaultAckTimeout)
	setDefault(&d.MaxPending, DefaultMaxPendingDeliveries)
}

// A DeliveryError says that a message was not acknowledged.
type DeliveryError struct {
	Message   events.UserMessage
	Attempts  int   // how often it was sent, or may have been
	MaybeSent bool  // false: the server has certainly not seen it
	Err       error // the ctx's error, ErrQueueFull, conn.ErrClosed, what ended Run, or the last attempt's
}

func (e *DeliveryError) Error() string {
	return fmt.Sprintf("chat: message %q not delivered in %d attempts: %v", e.Message.MessageID, e.Attempts, e.Err)
}

// Unwrap returns the cause.
func (e *DeliveryError) Unwrap() error { return e.Err }

// Deliver sends a message until the server acknowledges it, over as many
// reconnects as that takes, and returns the first argument of the
// acknowledgement, nil if there is none. Each attempt carries the same
// MessageID (a random one if m has none), so that a server can tell that it
// has seen the message before: where an acknowledgement is lost nobody can
// know, and so the server may get the message more than once. It gets it once where Config.Delivery.MaxAttempts is 1.
//
// Messages are delivered one after the other, in the order of the calls.
// Deliver waits for the messages before it, for Ready and for the
// acknowledgement. It stops when ctx ends, a limit of Config.Delivery is
// reached, the client is closed, or Run has ended for good. Its error is a
// [*DeliveryError]. The next message is delivered then.
func (c *Client) Deliver(ctx context.Context, m events.UserMessage) (reply json.RawMessage, err error) {
	setDefault(&m.MessageID, rand.Text())
	failed := &DeliveryError{Message: m}
	if c.delivering.Add(1) > int64(c.cfg.Delivery.MaxPending)+1 { // one is being delivered
		c.delivering.Add(-1)
		failed.Err = ErrQueueFull
		return nil, failed
	}
	defer c.delivering.Add(-1)
	select {
	case c.deliverySem <- struct{}{}: // goroutines get it in the order in which they came
		defer func() { <-c.deliverySem }()
	case <-ctx.Done():
		failed.Err = ctx.Err()
		return nil, failed
	}
	var args conn.Args
	if err := c.work(c.named(events.KeyUserMessage), func() error { return c.deliver(ctx, m, &args, failed) }); err != nil {
		failed.Err = cmp.Or(ctx.Err(), err)
		return nil, failed
	}
	if len(args) == 0 {
		return nil, nil
	}
	return args[0], nil
}

// deliver makes attempts, one on each session at least, and counts them.
func (c *Client) deliver(ctx context.Context, m events.UserMessage, reply *conn.Args, count *DeliveryError) error {
	for {
		s, err := c.entered(ctx)
		if err != nil {
			return err // there will be none
		}
		attempt, cancel := context.WithTimeout(ctx, c.cfg.Delivery.AckTimeout)
		err = s.Call(attempt, reply, c.name(events.KeyUserMessage), c.base.with(m))
		late := attempt.Err() != nil
		cancel()

		var failed *conn.SendError
		sent := !errors.As(err, &failed) || failed.MaybeSent
		if sent {
			count.Attempts++
			count.MaybeSent = true
		}
		again := err != nil && ctx.Err() == nil && (late || errors.Is(err, conn.ErrSessionLost))
		if !again || sent && count.Attempts == c.cfg.Delivery.MaxAttempts {
			return err
		}
	}
}
