package conn

import (
	"context"
	"errors"
	"reflect"

	"github.com/seed67206a74/parley/bus"
)

// On returns the source of the events with the given name. It decodes the first
// argument of each into T; an event without arguments is the zero T. A payload
// that does not fit T is published on c.DecodeErrors instead. For the same name
// and type On returns the same source. Its subscriptions remain over any number
// of sessions, until their ctx ends or c is closed.
func On[T any](c *Conn, name string) bus.Source[T] {
	l := &topicListener[T]{}
	l.topic.Name, l.topic.Logger = name, c.log
	return c.routes.topic(topicKey{name, reflect.TypeFor[T]()}, l).(*topicListener[T]).topic.Source()
}

// topic returns the listener with that key. It adds l if there is none.
func (r *routes) topic(key topicKey, l Listener) Listener {
	r.mu.Lock()
	if known, ok := r.topics[key]; ok {
		r.mu.Unlock()
		return known
	}
	if r.topics == nil {
		r.topics = map[topicKey]Listener{}
	}
	r.topics[key] = l
	r.replace(nil, []Route{{key.name, l}})
	closed := r.closed
	r.mu.Unlock()
	if closed {
		l.Close()
	}
	return l
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

func (l *topicListener[T]) Pace(ctx context.Context) { l.topic.WaitForReaders(ctx) }

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
