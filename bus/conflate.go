package bus

// A conflation finds the pending value of a key in a subscription under
// [Conflate]. The channel of such a subscription has no buffer, so every
// pending value can still be replaced.
type conflation[T any] struct {
	keys     chunkQueue[any] // of the values in the overflow, in the same order
	slots    map[any]slot[T] // of the values in the overflow, by key
	inFlight any             // the key of the value in flight
}

type slot[T any] struct {
	value *T
	info  *valueInfo // nil without a limit on sizes
}

// queue appends v to the overflow. Its info, if kept, must be the newest in
// sizes.
func (s *Subscription[T]) queue(v T, info valueInfo) {
	s.overflow.push(&v)
	if s.funcs.key == nil {
		return
	}
	c := &s.conflation
	c.keys.push(&info.key)
	if c.slots == nil {
		c.slots = make(map[any]slot[T])
	}
	at := slot[T]{value: s.overflow.back()}
	if s.funcs.size != nil {
		at.info = s.sizes.infos.back()
	}
	c.slots[info.key] = at
}

// unqueue removes the n oldest values of the overflow. They must be within
// overflow.run.
func (s *Subscription[T]) unqueue(n int) {
	s.overflow.pop(n)
	if s.funcs.key == nil {
		return
	}
	c := &s.conflation
	for range n {
		delete(c.slots, *c.keys.front())
		c.keys.pop(1)
	}
}

// unqueueAll removes all values of the overflow.
func (s *Subscription[T]) unqueueAll() {
	s.overflow.clear()
	s.conflation.keys.clear()
	s.conflation.slots = nil
}

// replace replaces the pending value that has v's key, and reports whether
// there was one. After replace returns, the reader cannot receive the old
// value.
func (s *Subscription[T]) replace(v T, info valueInfo) bool {
	c := &s.conflation
	if at, ok := c.slots[info.key]; ok {
		*at.value = v
		if at.info != nil {
			s.sizes.resize(at.info, info.size)
			s.signalRoom() // if v is smaller
		}
		s.dropped++
		return true
	}
	if !s.inFlight || c.inFlight != info.key {
		return false
	}
	s.replaceInFlight(v, info)
	return true
}

// conflated keeps the last value of each key, at the position of the first.
func (f *valueFuncs[T]) conflated(values []T) []T {
	at := make(map[any]int)
	var kept []T
	for _, v := range values {
		key := f.key(v)
		if i, ok := at[key]; ok {
			kept[i] = v
			continue
		}
		at[key] = len(kept)
		kept = append(kept, v)
	}
	return kept
}
