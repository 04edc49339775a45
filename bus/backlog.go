package bus

// A backlog holds the pending values that are not in the channel, the oldest
// first. If any of them has a size or a key, it also holds an info for each.
type backlog[T any] struct {
	values chunkQueue[T]
	infos  chunkQueue[valueInfo] // of all values, or empty
	slots  map[any]slot[T]       // by key; nil without Conflate
	bytes  int                   // the sum of the sizes
}

// A slot is the place of a pending value that another one can replace.
type slot[T any] struct {
	value *T
	info  *valueInfo
}

func (b *backlog[T]) len() int { return b.values.size }

// push appends a copy of *v.
func (b *backlog[T]) push(v *T, info valueInfo) {
	if info != (valueInfo{}) || b.infos.size > 0 {
		for b.infos.size < b.values.size {
			b.infos.push(new(valueInfo))
		}
		b.infos.push(&info)
	}
	b.values.push(v)
	b.bytes += info.size
	if info.key != nil {
		if b.slots == nil {
			b.slots = make(map[any]slot[T])
		}
		b.slots[info.key] = slot[T]{b.values.back(), b.infos.back()}
	}
}

// replace changes the value in a slot.
func (b *backlog[T]) replace(s slot[T], v T, info valueInfo) {
	b.bytes += info.size - s.info.size
	*s.value, *s.info = v, info
}

// pop removes the oldest value and returns its info.
func (b *backlog[T]) pop() (info valueInfo) {
	b.values.pop(1)
	if b.infos.size > 0 {
		info = *b.infos.front()
		b.infos.pop(1)
		b.bytes -= info.size
		delete(b.slots, info.key)
	}
	return info
}

// clear removes all values and releases the memory.
func (b *backlog[T]) clear() {
	b.values.clear()
	b.infos.clear()
	b.slots, b.bytes = nil, 0
}
