package bus

// A list is a topic's subscriptions. It is never changed, so publishers walk
// it without a lock: subscribing puts a new head before it, closing makes a new
// list that shares what came after. Nil is the empty list.
type list[T any] struct {
	s    *Subscription[T]
	next *list[T]
}

// without returns the list without s, itself if s is not in it.
func (l *list[T]) without(s *Subscription[T]) *list[T] {
	if l == nil {
		return nil
	}
	if l.s == s {
		return l.next
	}
	next := l.next.without(s)
	if next == l.next {
		return l
	}
	return &list[T]{l.s, next}
}
