package bus

// A ledger has the marks of the values that wait, in their order: those in the
// channel, the one in the pump's hand, those in the overflow. Nobody says when
// the reader takes a value from the channel, so the ledger is brought up to
// date when it is needed: what it has too many are the oldest.
type sizeQueue struct {
	infos chunkQueue[valueInfo]
	bytes int
}

func (l *sizeQueue) push(m valueInfo) {
	l.infos.push(&m)
	l.bytes += m.size
}

// resize changes the size in m, which must be in the ledger.
func (l *sizeQueue) resize(m *valueInfo, size int) {
	l.bytes += size - m.size
	m.size = size
}

func (l *sizeQueue) pop() {
	l.bytes -= l.infos.front().size
	l.infos.pop(1)
}

// cut leaves the marks of the n newest values.
func (l *sizeQueue) cut(n int) {
	for l.infos.size > n {
		l.pop()
	}
}

// truncate leaves the marks of the n oldest values.
func (l *sizeQueue) truncate(n int) {
	for i := range l.infos.size {
		m := *l.infos.front()
		l.pop()
		if i < n {
			l.push(m)
		}
	}
}

// popAfter removes the oldest mark but skip, which is 0 or 1.
func (l *sizeQueue) popAfter(skip int) {
	if skip == 0 {
		l.pop()
		return
	}
	first := *l.infos.front()
	l.infos.pop(1)
	l.bytes -= l.infos.front().size
	*l.infos.front() = first
}
