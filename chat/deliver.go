package chat

import (
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
	DefaultAckTimeout = 10 * time.Second
	DefaultMaxWaiting = 1024
)

// Delivery says how [Client.Deliver] goes about it.
type Delivery struct {
	// AckTimeout is how long an acknowledgement is waited for before the
	// message is sent again. Default: DefaultAckTimeout.
	AckTimeout time.Duration

	// MaxAttempts is how often a message is sent at most. Default: 0, until it
	// is acknowledged or the caller's ctx ends.
	MaxAttempts int

	// MaxWaiting is how many messages may wait for their turn; one more is
	// refused with ErrQueueFull. Default: DefaultMaxWaiting.
	MaxWaiting int
}

func (d *Delivery) setDefaults() {
	setDefault(&d.AckTimeout, DefaultAckTimeout)
	setDefault(&d.MaxWaiting, DefaultMaxWaiting)
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
// has seen the message before: without an answer nobody can know, and so it may get it more
// than once.
//
// Messages are delivered one after the other, in the order of the calls.
// Deliver waits for its turn, for Ready and for the acknowledgement; its error
// is a [*DeliveryError]. What gives up is ctx, Config.Delivery, Close, and a
// Run that has ended for good.
func (c *Client) Deliver(ctx context.Context, m events.UserMessage) (reply json.RawMessage, err error) {
	if m.MessageID == "" {
		m.MessageID = rand.Text()
	}
	failed := &DeliveryError{Message: m}
	if c.delivering.Add(1) > int64(c.cfg.Delivery.MaxWaiting)+1 { // one has its turn
		c.delivering.Add(-1)
		failed.Err = ErrQueueFull
		return nil, failed
	}
	defer c.delivering.Add(-1)
	select {
	case c.turn <- struct{}{}: // goroutines get it in the order in which they came
		defer func() { <-c.turn }()
	case <-ctx.Done():
		failed.Err = ctx.Err()
		return nil, failed
	}
	for {
		args, err := c.attempt(ctx, m)
		var unsent *conn.SendError
		switch {
		case err == nil && len(args) == 0:
			return nil, nil
		case err == nil:
			return args[0], nil
		case !errors.As(err, &unsent) || unsent.MaybeSent:
			failed.Attempts++
			failed.MaybeSent = true
		}
		failed.Err = err
		if ctx.Err() != nil {
			failed.Err = ctx.Err()
		}
		if c.givesUp(ctx, failed) {
			return nil, failed
		}
	}
}

// attempt sends the message once, as soon as the client is Ready.
func (c *Client) attempt(ctx context.Context, m events.UserMessage) (conn.Args, error) {
	if err := c.conn.Ready(ctx); err != nil {
		return nil, &conn.SendError{Event: c.name(events.KeyUserMessage), Err: err}
	}
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Delivery.AckTimeout)
	defer cancel()
	return conn.Call[conn.Args](ctx, c.conn, c.name(events.KeyUserMessage), c.base.with(m))
}

// givesUp reports whether there is no point in another attempt. What ended an
// attempt is that there was no acknowledgement in time, that its session was lost, or
// something that the next attempt cannot mend either.
func (c *Client) givesUp(ctx context.Context, failed *DeliveryError) bool {
	if ctx.Err() != nil || c.cfg.Delivery.MaxAttempts > 0 && failed.Attempts >= c.cfg.Delivery.MaxAttempts {
		return true
	}
	return !errors.Is(failed.Err, conn.ErrSessionLost) && !errors.Is(failed.Err, context.DeadlineExceeded)
}
