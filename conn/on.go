package conn

import (
	"cmp"
	"context"
	"errors"
	"reflect"

	"github.com/seed67206a74/parley/bus"
)

// On returns a source of the events with the given name. It decodes the first
// argument of each into T; an event without arguments is the zero T. A payload
// that does not fit T is published on c.DecodeErrors instead; see
// [Payload.Decode]. While a source of the same name and type has subscriptions,
// On returns that source, so that each event is decoded once. Its subscriptions
// remain over any number of sessions, until their ctx ends or c is closed. A
// source without subscriptions uses no memory of c.
func On[T any](c *Conn, name string) bus.Source[T] {
	for _, listener := range c.routes.to([]byte(name)) {
		if l, ok := listener.(*topicListener[T]); ok {
			return l.topic.Source()
		}
	}
	t := reflect.TypeFor[T]()
	l := &topicListener[T]{size: int(t.Size()), element: largestElement(t)}
	l.topic.Name, l.topic.Logger, l.topic.OnSlow = name, c.log, c.onSlow()
	l.topic.OnActive = func() { c.routes.sync(Route{name, l}) }
	return l.topic.Source()
}

// topicListener is the listener behind On.
type topicListener[T any] struct {
	topic         bus.Topic[T]
	next          T   // the reader decodes into it, so that an event allocates no T
	size, element int // the memory of a T and of its largest element
}

func (l *topicListener[T]) Active() bool { return l.topic.Active() }
func (l *topicListener[T]) Close()       { l.topic.Close() }

func (l *topicListener[T]) Pace(ctx context.Context) { l.topic.WaitForReaders(ctx) }

func (l *topicListener[T]) Receive(ctx context.Context, p Payload) error {
	var zero T
	l.next = zero
	err := p.Decode(&l.next)
	switch {
	case errors.Is(err, ErrNoPayload):
		l.next, err = zero, nil
	case Unreadable(err):
		return err
	}
	return cmp.Or(l.topic.PublishSized(ctx, l.next, l.size+p.body.memory(l.element)), err)
}
