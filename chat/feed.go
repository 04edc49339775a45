package chat

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
)

// An eventListener listens to one kind of event. It decodes each event once, and
// brings it to the topic of its kind, to Events, and to the stream whose
// question it answers, all in the reader's goroutine.
type eventListener[T events.Event] struct {
	client  *Client
	answers bool // the event may be part of an answer
	topic   bus.Topic[T]
	tools   *toolbox // takes tool calls, and hears of failures; nil for all other kinds
	next    T        // what the reader decodes into: kept here, it need not be allocated for each event
}

// newFeed makes the feed of a key, and returns its topic's public side.
func newEventListener[T events.Event](c *Client, key events.Key) bus.Source[T] {
	f := &eventListener[T]{client: c, answers: strings.HasPrefix(string(key), "AI_")}
	f.topic.Name, f.topic.Logger = string(key), c.cfg.Conn.Logger
	if key == events.KeyAIToolCall || key == events.KeyAIError {
		f.tools = c.tools
	}
	c.listeners[key] = f
	return f.topic.Source()
}

func (f *eventListener[T]) Active() bool {
	return f.topic.Active() || f.client.events.Active() ||
		f.answers && f.client.streams.waiting() || f.tools != nil && f.tools.wanted()
}

func (f *eventListener[T]) Receive(ctx context.Context, p conn.Payload) error {
	var zero T
	f.next = zero
	if err := p.Decode(&f.next); err != nil {
		return err
	}
	err := f.topic.PublishContext(ctx, f.next)
	if f.client.events.Active() {
		err = errors.Join(err, f.client.events.PublishContext(ctx, f.next))
	}
	var stream *Stream // the event is part of
	if f.answers && f.client.streams.waiting() {
		stream = f.client.streams.offer(f.next)
	}
	if f.tools != nil && f.tools.wanted() {
		f.tools.offer(f.next, stream, p.Ack())
	}
	return err
}

func (f *eventListener[T]) Close() {
	f.topic.Close()
	f.client.events.Close()
	if f.tools != nil {
		f.tools.close()
	}
}

// An abortListener listens to aborts that the backend passes on: another member of the
// chat has stopped an answer.
type abortListener struct{ client *Client }

func (a *abortListener) Active() bool { return a.client.streams.waiting() || a.client.tools.wanted() }

func (a *abortListener) Receive(_ context.Context, p conn.Payload) error {
	var abort events.Abort
	if err := p.Decode(&abort); err != nil {
		return err
	}
	if abort.RequestID != "" { // without one it does not say which
		a.client.aborted(abort)
	}
	return nil
}

func (a *abortListener) Close() {}

// A ServerError is what the server said in its own error event.
type ServerError struct {
	Message string          // a payload that is a string, or its field "message"; may be empty
	Raw     json.RawMessage // the payload as it came
}

func (e ServerError) Error() string {
	if e.Message == "" {
		return "chat: server error: " + string(e.Raw)
	}
	return "chat: server error: " + e.Message
}

// UnmarshalJSON takes any payload.
func (e *ServerError) UnmarshalJSON(data []byte) error {
	*e = ServerError{Raw: append(json.RawMessage(nil), data...)}
	var object struct {
		Message string `json:"message"`
	}
	if jsonv2.Unmarshal(data, &object) == nil {
		e.Message = object.Message
	} else {
		_ = jsonv2.Unmarshal(data, &e.Message) // what is neither stays in Raw
	}
	return nil
}
