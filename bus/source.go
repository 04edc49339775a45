package bus

import "context"

// A Source is the subscribing half of a [Topic]. A package exposes a Source for
// a topic that it alone publishes on. A Source is small to copy and safe for
// concurrent use.
//
// The subscriptions of the zero Source are closed from the start, with
// [ErrClosed].
type Source[T any] struct {
	topic *Topic[T]
}

// Subscribe is [Topic.Subscribe].
func (s Source[T]) Subscribe(ctx context.Context, opts ...Option) *Subscription[T] {
	topic := s.topic
	if topic == nil {
		topic = new(Topic[T])
		topic.Close()
	}
	return topic.Subscribe(ctx, opts...)
}

// Chan is [Topic.Chan].
func (s Source[T]) Chan(ctx context.Context, opts ...Option) <-chan T {
	return s.Subscribe(ctx, opts...).C()
}

// Stats is [Topic.Stats].
func (s Source[T]) Stats() TopicStats {
	if s.topic == nil {
		return TopicStats{}
	}
	return s.topic.Stats()
}
