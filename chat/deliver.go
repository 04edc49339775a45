package chat

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
)

// Defaults of [Delivery].
const (
	DefaultAckTimeout           = 10 * time.Second
	DefaultMaxPendingDeliveries = 1024
)

// Delivery configures [Client.Deliver].
type Delivery struct {
	// AckTimeout is how long to wait for an acknowledgement before the message
	// is sent again. Default: DefaultAckTimeout.
	AckTimeout time.Duration

	// MaxAttempts limits how often a message is sent. Default: 0, no limit.
	MaxAttempts int

	// MaxPending limits how many messages wait for delivery. One more is
	// rejected with ErrQueueFull. Default: DefaultMaxPendingDeliveries.
	MaxPending int
}

func (d *Delivery) setDefaults() {
	setDefault(&d.AckTimeout, DefaultAckTimeout)
	setDefault(&d.MaxPending, DefaultMaxPendingDeliveries)
}

// A DeliveryError reports a message that was not acknowledged.
type DeliveryError struct {
	Message   events.UserMessage
	Attempts  int  // how often it was sent, or may have been
	MaybeSent bool // if false, the server has not received it

	// Err is the ctx's error, ErrQueueFull, conn.ErrClosed, the error of Run or
	// the error of the last attempt.
	Err error
}

func (e *DeliveryError) Error() string {
	return fmt.Sprintf("chat: message %q not delivered in %d attempts: %v", e.Message.MessageID, e.Attempts, e.Err)
}

// Unwrap returns the cause.
func (e *DeliveryError) Unwrap() error { return e.Err }

// Deliver sends a message until the server acknowledges it, over any number of
// reconnects. It returns the first argument of the acknowledgement, or nil if
// there is none.
//
// The server may get the message more than once, because an acknowledgement can
// be lost. Each attempt has the same MessageID (a random one if m has none), so
// the server can recognize a repeated message. With a
// Config.Delivery.MaxAttempts of 1 it gets the message at most once.
//
// Messages are delivered one after the other, in the order of the calls.
// Deliver waits for the messages before it, for Ready and for the
// acknowledgement. It stops when ctx ends, a limit of Config.Delivery is
// reached, the client is closed, or Run has returned an error. Its error is a
// [*DeliveryError]. A failed message does not stop the next one.
func (c *Client) Deliver(ctx context.Context, m events.UserMessage) (reply json.RawMessage, err error) {
	setDefault(&m.MessageID, rand.Text())
	ctx, release, err := c.conn.Hold(ctx) // Shutdown waits for it, also before its turn
	if err != nil {
		return nil, &DeliveryError{Message: m, Err: err}
	}
	defer release()
	return c.deliveries.deliver(ctx, m)
}

// deliveries sends messages until they are acknowledged, one after the other.
type deliveries struct {
	cfg     Delivery
	do      doFunc
	event   func() string
	payload func(own any) any

	sem   chan struct{} // holds a value while a message is delivered; taken while no lock is held
	count atomic.Int64  // messages that are delivered or wait
}

// deliver delivers one message.
func (d *deliveries) deliver(ctx context.Context, m events.UserMessage) (json.RawMessage, error) {
	failed := &DeliveryError{Message: m}
	if d.count.Add(1) > int64(d.cfg.MaxPending)+1 { // + 1 is the message in delivery
		d.count.Add(-1)
		failed.Err = ErrQueueFull
		return nil, failed
	}
	defer d.count.Add(-1)
	select {
	case d.sem <- struct{}{}: // goroutines get it in the order of their calls
		defer func() { <-d.sem }()
	case <-ctx.Done():
		failed.Err = ctx.Err()
		return nil, failed
	}
	var reply conn.Args
	err := d.do(ctx, func(ctx context.Context, s *conn.Session) error { return d.attempt(ctx, s, &reply, failed) })
	switch {
	case err != nil:
		failed.Err = cmp.Or(ctx.Err(), err)
		return nil, failed
	case len(reply) == 0:
		return nil, nil
	}
	return reply[0], nil
}

// attempt sends the message on a session until it is acknowledged there, and
// counts the attempts in failed. It returns conn.ErrSessionLost if the next
// session has to try again.
func (d *deliveries) attempt(ctx context.Context, s *conn.Session, reply *conn.Args, failed *DeliveryError) error {
	for {
		waiting, cancel := context.WithTimeout(ctx, d.cfg.AckTimeout)
		err := s.Call(waiting, reply, d.event(), d.payload(failed.Message))
		late := waiting.Err() != nil
		cancel()

		var sending *conn.SendError
		sent := !errors.As(err, &sending) || sending.MaybeSent
		if sent {
			failed.Attempts++
			failed.MaybeSent = true
		}
		switch {
		case err == nil, ctx.Err() != nil, sent && failed.Attempts == d.cfg.MaxAttempts:
			return err
		case errors.Is(err, conn.ErrSessionLost):
			return conn.ErrSessionLost
		case !late:
			return err
		}
	}
}
