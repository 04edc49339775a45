package conn

import (
	"context"
	"errors"
	"reflect"

	"github.com/seed67206a74/parley/bus"
)

// On returns the source of the events with the given name, with their first
// argument decoded into T. An event without arguments is the zero T. A payload
// that does not fit T is published on c.DecodeErrors instead. For the same name
// and type On returns the same source. Its subscriptions live until their ctx
// ends or c is closed, over any number of sessions.
func On[T any](c *Conn, name string) bus.Source[T] {
	key := topicKey{name, reflect.TypeFor[T]()}
	c.routes.mu.Lock()
	defer c.routes.mu.Unlock()
	if known, ok := c.routes.topics[key]; ok {
		return known.(*topicListener[T]).topic.Source()
	}
	l := &topicListener[T]{}
	l.topic.Name, l.topic.Logger = name, c.log
	if c.routes.topics == nil {
		c.routes.topics = map[topicKey]Listener{}
	}
	c.routes.topics[key] = l
	c.routes.replace(nil, []Route{{name, l}})
	return l.topic.Source()
}

type topicKey struct {
	name string
	typ  reflect.Type
}

// topicListener is the listener behind On.
type topicListener[T any] struct {
	topic bus.Topic[T]
	next  T // the reader decodes into it, so that an event allocates no T
}

func (l *topicListener[T]) Active() bool { return l.topic.Active() }
func (l *topicListener[T]) Close()       { l.topic.Close() }

func (l *topicListener[T]) Receive(ctx context.Context, p Payload) error {
	var zero T
	l.next = zero
	err := p.Decode(&l.next)
	switch {
	case errors.Is(err, ErrNoPayload):
		l.next = zero
	case err != nil:
		return err
	}
	return l.topic.PublishContext(ctx, l.next)
}
