package bus

// A conflation finds what a subscription under [Conflate] has waiting for a
// key. Such a subscription's channel buffers nothing, so that every value that
// the reader has not taken can still be replaced.
type conflation[T any] struct {
	keys     chunkQueue[any] // of the values in the subscription's overflow, in step
	slots    map[any]slot[T] // where those values are
	inFlight any             // the key of the value in the pump's hand
}

type slot[T any] struct {
	value *T
	info  *valueInfo // nil without a limit on sizes
}

// queue puts v at the end of the overflow. Its mark is the newest.
func (s *Subscription[T]) queue(v T, m valueInfo) {
	s.overflow.push(&v)
	if s.funcs.key == nil {
		return
	}
	c := &s.conflation
	c.keys.push(&m.key)
	if c.slots == nil {
		c.slots = make(map[any]slot[T])
	}
	at := slot[T]{value: s.overflow.back()}
	if s.funcs.size != nil {
		at.info = s.sizes.infos.back()
	}
	c.slots[m.key] = at
}

// unqueue removes the overflow's n oldest values, which are side by side.
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

// unqueueAll removes all of them.
func (s *Subscription[T]) unqueueAll() {
	s.overflow.clear()
	s.conflation.keys.clear()
	s.conflation.slots = nil
}

// replace puts v in the place of the value that waits with its key, and reports
// whether there was one. When replace returns, the reader cannot get the old one
// any more.
func (s *Subscription[T]) replace(v T, m valueInfo) bool {
	c := &s.conflation
	if at, ok := c.slots[m.key]; ok {
		*at.value = v
		if at.info != nil {
			s.sizes.resize(at.info, m.size)
			s.signalRoom() // if v is smaller
		}
		s.dropped++
		return true
	}
	if !s.inFlight || c.inFlight != m.key {
		return false
	}
	s.replaceInFlight(v, m)
	return true
}

// conflated returns values with the last one of each key in the place of the
// first.
func (j *valueFuncs[T]) conflated(values []T) []T {
	at := make(map[any]int)
	var kept []T
	for _, v := range values {
		key := j.key(v)
		if i, ok := at[key]; ok {
			kept[i] = v
			continue
		}
		at[key] = len(kept)
		kept = append(kept, v)
	}
	return kept
}
