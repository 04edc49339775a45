package chat

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
)

// An eventListener listens to one kind of event. It decodes each event once. In
// the reader's goroutine it passes the event to the topic of its kind, to
// Events, to the stream of the event and to the tools.
type eventListener[T events.Event] struct {
	topic   bus.Topic[T]
	all     *bus.Topic[events.Event]
	streams *streams // nil if the event does not matter for answers
	always  bool     // streams needs the event even if no stream is open
	tools   *toolbox // for tool calls and errors; nil for all other kinds
	next    T        // the decoded event; a field, so that it is allocated once
}

// listenTo adds a listener for a key, and returns the source of its topic.
func listenTo[T events.Event](c *Client, listeners map[events.Key]conn.Listener, key events.Key) bus.Source[T] {
	l := &eventListener[T]{all: &c.events}
	l.topic.Name, l.topic.Logger, l.topic.OnSlow = string(key), c.cfg.Conn.Logger, c.observers.onSlow()
	l.always = key == events.KeyChatMessage
	if l.always || strings.HasPrefix(string(key), "AI_") {
		l.streams = &c.streams
	}
	if key == events.KeyAIToolCall || key == events.KeyAIError {
		l.tools = c.tools
	}
	listeners[key] = l
	return l.topic.Source()
}

func (l *eventListener[T]) Active() bool {
	return l.topic.Active() || l.all.Active() || l.answers() ||
		l.tools != nil && l.tools.wanted()
}

// answers reports whether streams need the event.
func (l *eventListener[T]) answers() bool {
	return l.always || l.streams != nil && l.streams.active()
}

func (l *eventListener[T]) Receive(ctx context.Context, p conn.Payload) error {
	var zero T
	l.next = zero
	wrong := p.Decode(&l.next)
	if conn.Unreadable(wrong) {
		l.refuse(p, wrong)
		return wrong
	}
	var err error
	if l.topic.Active() {
		err = l.topic.PublishSized(ctx, l.next, p.Memory())
	}
	if l.all.Active() {
		err = errors.Join(err, l.all.PublishSized(ctx, l.next, p.Memory()))
	}
	var stream *Stream // of the event
	if l.answers() {
		stream = l.offer(p.Epoch())
	}
	if l.tools != nil && l.tools.wanted() {
		l.tools.offer(l.next, stream, p.Ack())
	}
	return cmp.Or(err, wrong)
}

// offer passes the event to its stream, which it returns.
func (l *eventListener[T]) offer(epoch uint64) *Stream {
	if token, ok := any(&l.next).(*events.AIToken); ok && token.RequestID != "" {
		return l.streams.offerToken(token, epoch)
	}
	return l.streams.offer(l.next, epoch)
}

// refuse ends the stream of an event that cannot be read, so that no caller
// waits for it. A tool call is acknowledged with the error.
func (l *eventListener[T]) refuse(p conn.Payload, err error) {
	if l.streams != nil && l.streams.active() {
		envelope := l.next.Envelope()
		if errors.Is(err, conn.ErrTooDeep) {
			envelope = envelopeOf(p)
		}
		l.streams.unreadable(l.next, envelope, err)
	}
	if l.tools != nil && l.tools.wanted() {
		l.tools.refuse(l.next, p.Ack(), err)
	}
}

// envelopeOf returns the shared fields of an event that nests too deep to be
// decoded. They are members of its first level.
func envelopeOf(p conn.Payload) events.Envelope {
	args, err := p.Args()
	if err != nil || len(args) == 0 {
		return events.Envelope{}
	}
	var shared events.Abort              // all of its fields are optional
	_ = json.Unmarshal(args[0], &shared) // a field that does not fit is left out
	return events.Envelope{ChatID: shared.ChatID, TraceID: shared.TraceID, RequestID: shared.RequestID}
}

func (l *eventListener[T]) Pace(ctx context.Context) {
	l.topic.WaitForReaders(ctx)
	l.all.WaitForReaders(ctx)
}

func (l *eventListener[T]) Close() {
	l.topic.Close()
	l.all.Close()
	if l.streams != nil {
		l.streams.close()
	}
	if l.tools != nil {
		l.tools.close()
	}
}

// An abortListener listens to aborts of other members of the chat, which the
// backend forwards.
type abortListener struct {
	streams *streams
	tools   *toolbox
	names   *bus.Topic[map[events.Key]string] // closed with the connection
}

func (a *abortListener) Active() bool { return a.streams.count.Load() > 0 || a.tools.wanted() }

func (a *abortListener) Receive(_ context.Context, p conn.Payload) error {
	var abort events.Abort
	err := p.Decode(&abort)
	if !conn.Unreadable(err) && abort.RequestID != "" { // otherwise the abort names no answer
		a.tools.abort(abort)
		a.streams.aborted(abort)
	}
	return err
}

func (a *abortListener) Close() { a.names.Close() }
