package chat

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/observe"
)

// The observers of Config.Observers implement one or more of the interfaces
// below, each with one method, or those of conn. They are called under no lock,
// in the goroutine of the event, and must not block: an observer of tokens
// delays the connection's reader. A panic of an observer is logged and has no
// other effect. The methods of one observer can be called at the same time, by
// several clients and by several goroutines of one client.

// A NewObserver is called at the end of New.
type NewObserver interface{ OnNew(c *Client) }

// A CloseObserver is called once, when a client has been closed by Close or
// Shutdown.
type CloseObserver interface{ OnClose(c *Client) }

// An AskObserver is called by Ask, before the question is sent. It can change
// q, for example its TraceID and its Meta. It returns the ctx of the stream,
// which is ctx or a child of it. The tools of the answer get the values of that
// ctx. OnAnswerEnd follows in any case, also if the question cannot be sent.
type AskObserver interface {
	OnAsk(ctx context.Context, c *Client, q *Question) context.Context
}

// A FirstTokenObserver is called with the first token of an answer. wait is the
// time since the question was written.
type FirstTokenObserver interface {
	OnFirstToken(ctx context.Context, c *Client, q Question, wait time.Duration)
}

// A TokenObserver is called with each token of an answer. wait is the time
// since the previous token, or since the question was written.
type TokenObserver interface {
	OnToken(ctx context.Context, c *Client, t events.AIToken, wait time.Duration)
}

// An AnswerEndObserver is called when an answer has ended, before Wait returns.
type AnswerEndObserver interface {
	OnAnswerEnd(ctx context.Context, c *Client, end AnswerEnd)
}

// An AnswerEnd describes an answer that has ended.
type AnswerEnd struct {
	Question Question
	Message  events.AIMessage // zero after an error
	Err      error            // nil if the answer is complete

	Tokens int // the number of tokens received

	// FirstToken is the time from the question to the first token or message; 0
	// if none has arrived.
	FirstToken time.Duration

	Duration time.Duration // since Ask was called
}

// A ToolStartObserver is called before a tool runs. It returns the ctx of the
// tool's function, which is ctx or a child of it. OnToolEnd follows in any
// case.
type ToolStartObserver interface {
	OnToolStart(ctx context.Context, c *Client, call events.AIToolCall) context.Context
}

// A ToolEndObserver is called when a tool has returned, with its result or its
// error.
type ToolEndObserver interface {
	OnToolEnd(ctx context.Context, c *Client, call events.AIToolCall, result any, err error)
}

// A DeliveryAttemptObserver is called before each attempt of Deliver and
// DeliverEvent to send.
type DeliveryAttemptObserver interface {
	OnDeliveryAttempt(ctx context.Context, c *Client, a DeliveryAttempt)
}

// A DeliveryAttempt describes one attempt to deliver a message or event.
type DeliveryAttempt struct {
	Event     string // its current name
	MessageID string // of Deliver; "" for DeliverEvent
	Attempt   int    // 1 for the first
}

// A DeliveryEndObserver is called before Deliver or DeliverEvent returns.
type DeliveryEndObserver interface {
	OnDeliveryEnd(ctx context.Context, c *Client, end DeliveryEnd)
}

// A DeliveryEnd describes a delivery that has ended.
type DeliveryEnd struct {
	Event     string
	MessageID string        // of Deliver; "" for DeliverEvent
	Attempts  int           // how often it was sent, or may have been
	Duration  time.Duration // since the call
	Err       error         // nil if it was acknowledged
}

// observers are the observers of a client, by their interfaces.
type observers struct {
	client *Client
	log    *slog.Logger

	created         []NewObserver
	closed          []CloseObserver
	ask             []AskObserver
	firstToken      []FirstTokenObserver
	token           []TokenObserver
	answerEnd       []AnswerEndObserver
	toolStart       []ToolStartObserver
	toolEnd         []ToolEndObserver
	deliveryAttempt []DeliveryAttemptObserver
	deliveryEnd     []DeliveryEndObserver
	slow            []conn.SlowObserver
}

func newObservers(c *Client, all, ofConn []any, log *slog.Logger) observers {
	return observers{
		client: c, log: log,
		created:         observe.Of[NewObserver](all),
		closed:          observe.Of[CloseObserver](all),
		ask:             observe.Of[AskObserver](all),
		firstToken:      observe.Of[FirstTokenObserver](all),
		token:           observe.Of[TokenObserver](all),
		answerEnd:       observe.Of[AnswerEndObserver](all),
		toolStart:       observe.Of[ToolStartObserver](all),
		toolEnd:         observe.Of[ToolEndObserver](all),
		deliveryAttempt: observe.Of[DeliveryAttemptObserver](all),
		deliveryEnd:     observe.Of[DeliveryEndObserver](all),
		slow:            observe.Of[conn.SlowObserver](ofConn),
	}
}

// splitObservers returns the observers that conn calls. It returns an error if
// one has no method of an observer.
func splitObservers(all []any) (ofConn []any, err error) {
	for _, o := range all {
		switch {
		case conn.IsObserver(o):
			ofConn = append(ofConn, o)
		case !isObserver(o):
			return nil, fmt.Errorf("chat: a value of Config.Observers has no method of an observer: a %T", o)
		}
	}
	return ofConn, nil
}

func isObserver(o any) bool {
	switch o.(type) {
	case NewObserver, CloseObserver, AskObserver, FirstTokenObserver, TokenObserver, AnswerEndObserver,
		ToolStartObserver, ToolEndObserver, DeliveryAttemptObserver, DeliveryEndObserver:
		return true
	}
	return false
}

func (o *observers) onNew() {
	observe.Each(o.log, o.created, func(to NewObserver) { to.OnNew(o.client) })
}

func (o *observers) onClose() {
	observe.Each(o.log, o.closed, func(to CloseObserver) { to.OnClose(o.client) })
}

// onAsk returns the ctx of the stream.
func (o *observers) onAsk(ctx context.Context, q *Question) context.Context {
	observe.Each(o.log, o.ask, func(to AskObserver) {
		if child := to.OnAsk(ctx, o.client, q); child != nil {
			ctx = child
		}
	})
	return ctx
}

// wantTokens reports whether an observer of tokens exists.
func (o *observers) wantTokens() bool {
	return o != nil && (len(o.token) > 0 || len(o.firstToken) > 0)
}

// observeToken calls the observers of a token. mu is held, but not during the
// calls. It returns false, with mu unlocked, if the stream has ended meanwhile.
func (s *Stream) observeToken(t events.AIToken) bool {
	last, now := s.token, s.limits.heard
	first := last.IsZero()
	if first {
		// The first token may arrive before the question is known to be
		// written.
		last = latest(s.made, s.limits.asked)
	}
	s.token = now
	s.mu.Unlock()
	s.owner.observers.onToken(s, t, first, now.Sub(last))
	s.mu.Lock()
	if s.phase >= phaseClosing {
		s.mu.Unlock()
		return false
	}
	return true
}

func (o *observers) onToken(s *Stream, t events.AIToken, first bool, wait time.Duration) {
	if first {
		observe.Each(o.log, o.firstToken, func(to FirstTokenObserver) { to.OnFirstToken(s.ctx, o.client, s.question, wait) })
	}
	observe.Each(o.log, o.token, func(to TokenObserver) { to.OnToken(s.ctx, o.client, t, wait) })
}

// onAnswerEnd is called for a stream whose result is set. Its mu is not held.
func (o *observers) onAnswerEnd(s *Stream, message events.AIMessage, err error) {
	if len(o.answerEnd) == 0 {
		return
	}
	p := s.Progress()
	end := AnswerEnd{
		Question: s.question, Message: message, Err: err,
		Tokens: p.Tokens, FirstToken: p.FirstToken, Duration: time.Since(s.made),
	}
	observe.Each(o.log, o.answerEnd, func(to AnswerEndObserver) { to.OnAnswerEnd(s.ctx, o.client, end) })
}

// onToolStart returns the ctx of the tool's function.
func (o *observers) onToolStart(ctx context.Context, call events.AIToolCall) context.Context {
	if o == nil {
		return ctx
	}
	observe.Each(o.log, o.toolStart, func(to ToolStartObserver) {
		if child := to.OnToolStart(ctx, o.client, call); child != nil {
			ctx = child
		}
	})
	return ctx
}

func (o *observers) onToolEnd(ctx context.Context, call events.AIToolCall, result any, err error) {
	if o == nil {
		return
	}
	observe.Each(o.log, o.toolEnd, func(to ToolEndObserver) { to.OnToolEnd(ctx, o.client, call, result, err) })
}

func (o *observers) onDeliveryAttempt(ctx context.Context, a DeliveryAttempt) {
	observe.Each(o.log, o.deliveryAttempt, func(to DeliveryAttemptObserver) { to.OnDeliveryAttempt(ctx, o.client, a) })
}

func (o *observers) onDeliveryEnd(ctx context.Context, end DeliveryEnd) {
	observe.Each(o.log, o.deliveryEnd, func(to DeliveryEndObserver) { to.OnDeliveryEnd(ctx, o.client, end) })
}

// onSlow returns the OnSlow of a topic, nil if there is no observer.
func (o *observers) onSlow() func(bus.SlowEvent) {
	if len(o.slow) == 0 {
		return nil
	}
	return func(e bus.SlowEvent) {
		observe.Each(o.log, o.slow, func(to conn.SlowObserver) { to.OnSlow(o.client.conn, e) })
	}
}
