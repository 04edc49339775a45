package bus

// A sizeQueue holds the infos of the pending values, in their order: of the
// values in the channel, of the value in flight, of the values in the overflow.
// The reader does not report its receives. So cut removes surplus infos, which
// are the oldest, before the queue is used.
type sizeQueue struct {
	infos chunkQueue[valueInfo]
	bytes int
}

func (q *sizeQueue) push(info valueInfo) {
	q.infos.push(&info)
	q.bytes += info.size
}

// resize changes the size in info, which must be in the queue.
func (q *sizeQueue) resize(info *valueInfo, size int) {
	q.bytes += size - info.size
	info.size = size
}

func (q *sizeQueue) pop() {
	q.bytes -= q.infos.front().size
	q.infos.pop(1)
}

// cut removes all infos except those of the n newest values.
func (q *sizeQueue) cut(n int) {
	for q.infos.size > n {
		q.pop()
	}
}

// truncate removes all infos except those of the n oldest values.
func (q *sizeQueue) truncate(n int) {
	for i := range q.infos.size {
		info := *q.infos.front()
		q.pop()
		if i < n {
			q.push(info)
		}
	}
}

// popAfter removes the oldest info if skip is 0, and the second oldest if skip
// is 1.
func (q *sizeQueue) popAfter(skip int) {
	if skip == 0 {
		q.pop()
		return
	}
	first := *q.infos.front()
	q.infos.pop(1)
	q.bytes -= q.infos.front().size
	*q.infos.front() = first
}
