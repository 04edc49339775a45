package bus

// A backlog holds the pending values that are not in the channel, the oldest
// first. If the subscription has functions, it also holds their results.
type backlog[T any] struct {
	values chunkQueue[T]
	infos  chunkQueue[valueInfo] // of values; empty without functions
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
func (b *backlog[T]) push(v *T, info valueInfo, funcs *valueFuncs[T]) {
	b.values.push(v)
	if !funcs.any() {
		return
	}
	b.infos.push(&info)
	b.bytes += info.size
	if funcs.key != nil {
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

// pop removes the n oldest values, which must be within values.run.
func (b *backlog[T]) pop(n int) {
	b.values.pop(n)
	for range min(n, b.infos.size) {
		info := b.infos.front()
		b.bytes -= info.size
		delete(b.slots, info.key)
		b.infos.pop(1)
	}
}

// clear removes all values and releases the memory.
func (b *backlog[T]) clear() {
	b.values.clear()
	b.infos.clear()
	b.slots, b.bytes = nil, 0
}
