package bus

// A ledger has the marks of the values that wait, in their order: those in the
// channel, the one in the pump's hand, those in the overflow. Nobody says when
// the reader takes a value from the channel, so the ledger is brought up to
// date when it is needed: what it has too many are the oldest.
type ledger struct {
	marks overflow[mark]
	bytes int
}

func (l *ledger) push(m mark) {
	l.marks.push(&m)
	l.bytes += m.size
}

// resize changes the size in m, which must be in the ledger.
func (l *ledger) resize(m *mark, size int) {
	l.bytes += size - m.size
	m.size = size
}

func (l *ledger) pop() {
	l.bytes -= l.marks.front().size
	l.marks.pop(1)
}

// cut leaves the marks of the n newest values.
func (l *ledger) cut(n int) {
	for l.marks.size > n {
		l.pop()
	}
}

// truncate leaves the marks of the n oldest values.
func (l *ledger) truncate(n int) {
	for i := range l.marks.size {
		m := *l.marks.front()
		l.pop()
		if i < n {
			l.push(m)
		}
	}
}

// popAfter removes the oldest mark but skip, which is 0 or 1.
func (l *ledger) popAfter(skip int) {
	if skip == 0 {
		l.pop()
		return
	}
	first := *l.marks.front()
	l.marks.pop(1)
	l.bytes -= l.marks.front().size
	*l.marks.front() = first
}
