package bus

import "context"

// A Source is a [Topic] that can be subscribed to and not published on: what
// a package exposes of a topic that it owns. It is a small value to copy and
// is safe for concurrent use.
//
// The zero Source never yields: its subscriptions are closed from the start,
// with [ErrClosed].
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
