package bus

import "sync/atomic"

// A node is an element of the list of a topic's subscriptions, the newest
// first. Publishers walk the list without a lock. A removed node keeps its
// next, so a publisher that is at it reaches all older subscriptions.
type node[T any] struct {
	s    *Subscription[T]
	next atomic.Pointer[node[T]]
	prev *node[T] // guarded by Topic.mu
}

// add makes s the head of the list. The caller holds mu.
func (t *Topic[T]) add(s *Subscription[T]) {
	head := t.subs.Load()
	s.node = &node[T]{s: s}
	s.node.next.Store(head)
	if head != nil {
		head.prev = s.node
	}
	t.subs.Store(s.node)
}

// leave removes s from the list if it is there.
func (t *Topic[T]) leave(s *Subscription[T]) {
	if t.remove(s) && t.OnActive != nil {
		t.OnActive()
	}
}

// remove does the part of leave that needs the lock, and reports whether s was
// the last subscription.
func (t *Topic[T]) remove(s *Subscription[T]) (last bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := s.node
	if n == nil {
		return false
	}
	s.node = nil
	next := n.next.Load()
	if n.prev == nil {
		t.subs.Store(next)
	} else {
		n.prev.next.Store(next)
	}
	if next != nil {
		next.prev = n.prev
	}
	return t.subs.Load() == nil
}
