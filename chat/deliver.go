package chat

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/socketio"
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

// A DeliveryError reports a message or event that was not acknowledged.
type DeliveryError struct {
	Message   events.UserMessage // of Deliver
	Event     string             // of DeliverEvent; "" for Deliver
	Payload   any                // of DeliverEvent
	Attempts  int                // how often it was sent, or may have been
	MaybeSent bool               // if false, the server has not received it

	// Err is the ctx's error, ErrQueueFull, conn.ErrClosed, the error of Run or
	// the error of the last attempt. If the ctx ended while Deliver was waiting
	// for the connection, it is a *conn.SendError, which has the reason.
	Err error
}

func (e *DeliveryError) Error() string {
	if e.Event != "" {
		return fmt.Sprintf("chat: event %q not delivered in %d attempts: %v", e.Event, e.Attempts, e.Err)
	}
	return fmt.Sprintf("chat: message %q not delivered in %d attempts: %v", e.Message.MessageID, e.Attempts, e.Err)
}

// Unwrap returns the cause.
func (e *DeliveryError) Unwrap() error { return e.Err }

// Deliver sends a message until the server acknowledges it, over any number of
// reconnects. It returns the first argument of the acknowledgement, or nil if
// there is none. On one session, the acknowledgement of any attempt counts.
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
// [*DeliveryError]. A failed message does not stop the next one. A message that
// cannot be encoded fails at once, and one over the server's limit at its turn.
func (c *Client) Deliver(ctx context.Context, m events.UserMessage) (reply json.RawMessage, err error) {
	setDefault(&m.MessageID, rand.Text())
	chatID := m.ChatID
	setDefault(&chatID, c.cfg.ChatID)
	return c.deliveries.deliver(ctx, delivery{
		name: c.names.named(events.KeyUserMessage), payload: m, question: new(ownMessage(chatID, m.MessageID, m.UserID)),
		failed: DeliveryError{Message: m},
	})
}

// DeliverEvent is Deliver for any event. Messages and events are in one queue.
// The payload is encoded as that of [Client.Emit]. Each attempt sends the same
// payload, which should have an id of its own, so that the server can recognize
// a repeated event. A reserved name fails at once.
func (c *Client) DeliverEvent(ctx context.Context, event string, payload any) (reply json.RawMessage, err error) {
	return c.deliveries.deliver(ctx, delivery{
		name: func() string { return event }, payload: payload, question: c.possibleQuestion(event, payload),
		failed: DeliveryError{Event: event, Payload: payload},
	})
}

// deliveries sends messages until they are acknowledged, one after the other.
type deliveries struct {
	cfg     Delivery
	conn    sessions
	payload func(own any) any

	// writing is called before a message that the backend may answer is sent.
	writing func(m own) (unsent func())

	observers *observers // nil for none

	sem   chan struct{} // holds a value while a message is delivered; taken while no lock is held
	count atomic.Int64  // messages that are delivered or wait
}

// delivery is a message or event to deliver.
type delivery struct {
	name     func() string // the current name of the event
	payload  any
	question *own // nil if the backend does not answer it
	failed   DeliveryError
}

// deliver delivers one message and calls the observers.
func (d *deliveries) deliver(ctx context.Context, m delivery) (reply json.RawMessage, err error) {
	if d.observers == nil {
		return d.inTurn(ctx, &m)
	}
	start := time.Now()
	reply, err = d.inTurn(ctx, &m)
	d.observers.onDeliveryEnd(ctx, DeliveryEnd{
		Event: m.name(), MessageID: m.failed.Message.MessageID,
		Attempts: m.failed.Attempts, Duration: time.Since(start), Err: err,
	})
	return reply, err
}

// inTurn delivers one message after the messages before it.
func (d *deliveries) inTurn(ctx context.Context, m *delivery) (json.RawMessage, error) {
	if d.count.Add(1) > int64(d.cfg.MaxPending)+1 { // + 1 is the message in delivery
		d.count.Add(-1)
		return nil, m.fail(ErrQueueFull)
	}
	defer d.count.Add(-1)
	ctx, release, err := d.conn.Hold(ctx) // Shutdown waits for it, also before its turn
	if err != nil {
		return nil, m.fail(err)
	}
	defer release()
	payload := d.payload(m.payload)
	if _, err := new(socketio.Encoder).AppendEvent(nil, m.name(), []any{payload}); err != nil {
		return nil, m.fail(err)
	}
	select {
	case d.sem <- struct{}{}: // goroutines get it in the order of their calls
		defer func() { <-d.sem }()
	case <-ctx.Done():
		return nil, m.fail(ctx.Err())
	}
	var reply conn.Args
	err = onSession(d.conn, ctx, m.name, func(ctx context.Context, s *conn.Session) error {
		return d.attempt(ctx, s, &reply, payload, m)
	})
	switch {
	case err != nil:
		return nil, m.fail(err)
	case len(reply) == 0:
		return nil, nil
	}
	return reply[0], nil
}

// fail returns the error of the delivery.
func (m *delivery) fail(err error) error {
	if sending, ok := errors.AsType[*conn.SendError](err); ok && m.failed.MaybeSent {
		sending.MaybeSent = true // by an attempt on a session before
	}
	m.failed.Err = err
	return &m.failed
}

// attempt sends the message on a session until it is acknowledged there, and
// counts the attempts. It returns conn.ErrSessionLost if the next session has
// to try again.
func (d *deliveries) attempt(ctx context.Context, s *conn.Session, reply *conn.Args, payload any, m *delivery) error {
	left := 0 // no limit
	if d.cfg.MaxAttempts > 0 {
		left = d.cfg.MaxAttempts - m.failed.Attempts
	}
	unsent := func() {}
	if m.question != nil {
		unsent = d.writing(*m.question)
	}
	name := m.name // called before each attempt
	if d.observers != nil && len(d.observers.deliveryAttempt) > 0 {
		attempt := m.failed.Attempts
		name = func() string {
			attempt++
			event := m.name()
			d.observers.onDeliveryAttempt(ctx, DeliveryAttempt{event, m.failed.Message.MessageID, attempt})
			return event
		}
	}
	sent := 0
	defer func() { // also after a panic while the payload is encoded
		if sent == 0 {
			unsent()
		}
	}()
	sent, err := s.CallRepeatedly(ctx, reply, d.cfg.AckTimeout, left, name, payload)
	m.failed.Attempts += sent
	m.failed.MaybeSent = m.failed.Attempts > 0
	if errors.Is(err, conn.ErrSessionLost) && ctx.Err() == nil && (left == 0 || sent < left) {
		return conn.ErrSessionLost
	}
	return err
}
