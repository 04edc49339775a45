package chat

import (
	"context"
	"errors"
	"strings"

	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
)

// An eventListener listens to one kind of event. It decodes each event once, and
// passes it to the topic of its kind, to Events, to the stream that it belongs
// to and to the tools, all in the reader's goroutine.
type eventListener[T events.Event] struct {
	client       *Client
	partOfAnswer bool // the event may be part of an answer
	topic        bus.Topic[T]
	tools        *toolbox // for tool calls and errors; nil for all other kinds
	next         T        // the reader decodes into it; kept here, so that it is allocated once
}

// newEventListener adds the listener of a key, and returns the source of its
// topic.
func newEventListener[T events.Event](c *Client, key events.Key) bus.Source[T] {
	l := &eventListener[T]{client: c, partOfAnswer: strings.HasPrefix(string(key), "AI_")}
	l.topic.Name, l.topic.Logger = string(key), c.cfg.Conn.Logger
	if key == events.KeyAIToolCall || key == events.KeyAIError {
		l.tools = c.tools
	}
	c.listeners[key] = l
	return l.topic.Source()
}

func (l *eventListener[T]) Active() bool {
	return l.topic.Active() || l.client.events.Active() ||
		l.partOfAnswer && l.client.streams.waiting() || l.tools != nil && l.tools.wanted()
}

func (l *eventListener[T]) Receive(ctx context.Context, p conn.Payload) error {
	var zero T
	l.next = zero
	if err := p.Decode(&l.next); err != nil {
		return err
	}
	err := l.topic.PublishContext(ctx, l.next)
	if l.client.events.Active() {
		err = errors.Join(err, l.client.events.PublishContext(ctx, l.next))
	}
	var stream *Stream // the event is part of
	if l.partOfAnswer && l.client.streams.waiting() {
		stream = l.client.streams.offer(l.next)
	}
	if l.tools != nil && l.tools.wanted() {
		l.tools.offer(l.next, stream, p.Ack())
	}
	return err
}

func (l *eventListener[T]) Close() {
	l.topic.Close()
	l.client.events.Close()
	if l.tools != nil {
		l.tools.close()
	}
}

// An abortListener listens to aborts that the backend passes on from another
// member of the chat.
type abortListener struct{ client *Client }

func (a *abortListener) Active() bool { return a.client.streams.waiting() || a.client.tools.wanted() }

func (a *abortListener) Receive(_ context.Context, p conn.Payload) error {
	var abort events.Abort
	if err := p.Decode(&abort); err != nil {
		return err
	}
	if abort.RequestID != "" { // without one it names no answer
		a.client.aborted(abort)
	}
	return nil
}

func (a *abortListener) Close() {}
