package conn

import (
	"context"
	"errors"
	"reflect"

	"github.com/seed67206a74/parley/bus"
)

// On returns the source of the events with the given name, their first
// argument decoded into T; an event without arguments comes as the zero T. What does not
// fit T goes out on c.DecodeErrors instead. Asked again for the same name and
// type, On returns the same one. Its subscriptions live until their ctx
// ends or c is closed, over any number of sessions.
func On[T any](c *Conn, name string) bus.Source[T] {
	id := topicID{name, reflect.TypeFor[T]()}
	c.routes.mu.Lock()
	defer c.routes.mu.Unlock()
	if s, ok := c.routes.topics[id]; ok {
		return s.(*topic[T]).bus.Source()
	}
	t := &topic[T]{}
	t.bus.Name, t.bus.Logger = name, c.log
	if c.routes.topics == nil {
		c.routes.topics = map[topicID]Listener{}
	}
	c.routes.topics[id] = t
	c.routes.replace(nil, []Route{{name, t}})
	return t.bus.Source()
}

type topicID struct {
	name string
	typ  reflect.Type
}

// topic is the listener behind On.
type topic[T any] struct {
	bus  bus.Topic[T]
	next T // what the reader decodes into: kept here, it need not be allocated for each event
}

func (t *topic[T]) Active() bool { return t.bus.Active() }
func (t *topic[T]) Close()       { t.bus.Close() }

func (t *topic[T]) Receive(ctx context.Context, p Payload) error {
	var zero T
	t.next = zero
	err := p.Decode(&t.next)
	switch {
	case errors.Is(err, ErrNoPayload):
		t.next = zero
	case err != nil:
		return err
	}
	return t.bus.PublishContext(ctx, t.next)
}
