package engineio

import (
	"math"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// A batch that is written without blocking has at most tryBatch bytes. A longer
// one is written in parts of about flushFrom bytes.
const (
	tryBatch  = 32 << 10
	flushFrom = 64 << 10
)

// batches has a buffer for each batch during its write, so an idle session
// needs none.
var batches = sync.Pool{New: func() any { return new([]byte) }}

// A batchConn is the network connection under a websocket, and under TLS. It
// buffers the frames of a batch, so they leave in one system call.
type batchConn struct {
	net.Conn
	raw     syscall.RawConn // nil if the connection cannot write without blocking
	try     func(fd uintptr) bool
	closing atomic.Bool // writes do not block any more

	deadline atomic.Int64 // of writes that block, in Unix nanoseconds; 0 for none

	mu     sync.Mutex // held during a write
	hold   int        // Write only adds to the buffer up to this number of bytes
	buf    []byte     // bytes that the socket has not taken
	pooled *[]byte    // where buf is from; nil while it is empty
	sent   int        // of buf, by try
	err    error      // of try
}

func newBatchConn(c net.Conn) *batchConn {
	w := &batchConn{Conn: c}
	w.raw = rawConn(c)
	w.try = func(fd uintptr) bool {
		w.sent, w.err = writeFD(fd, w.buf)
		return true // do not wait
	}
	return w
}

// Write adds a frame or a TLS record. It also writes the buffer, unless begin
// was called.
func (w *batchConn) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.pooled == nil {
		w.pooled = batches.Get().(*[]byte)
		w.buf = *w.pooled
	}
	w.buf = append(w.buf, p...)
	if len(w.buf) < w.hold {
		return len(p), nil
	}
	if err := w.flushLocked(); err != nil {
		return 0, err
	}
	return len(p), nil
}

// begin makes Write only buffer, up to a number of bytes, until flush or
// tryFlush is called.
func (w *batchConn) begin(limit int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hold = limit
}

// tryBegin is begin without a limit, for tryFlush. It returns false if the
// connection cannot write without blocking, or the socket is full.
func (w *batchConn) tryBegin() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.raw == nil || len(w.buf) > 0 {
		return false
	}
	w.hold = math.MaxInt
	return true
}

// flush writes the buffer. It blocks until the deadline at most.
func (w *batchConn) flush() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hold = 0
	return w.flushLocked()
}

func (w *batchConn) flushLocked() error {
	if err := w.tryLocked(); err != nil || len(w.buf) == 0 {
		return err
	}
	if w.closing.Load() {
		return net.ErrClosed
	}
	if deadline := w.deadline.Load(); deadline != 0 {
		if err := w.Conn.SetWriteDeadline(time.Unix(0, deadline)); err != nil {
			return err
		}
		defer w.Conn.SetWriteDeadline(time.Time{}) // after a deadline tryLocked would fail as well
	}
	n, err := w.Conn.Write(w.buf)
	w.drop(n)
	return err
}

// tryFlush writes as much of the buffer as the socket takes without blocking.
func (w *batchConn) tryFlush() (more bool, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hold = 0
	err = w.tryLocked()
	return len(w.buf) > 0, err
}

func (w *batchConn) tryLocked() error {
	if w.raw == nil || len(w.buf) == 0 {
		return nil
	}
	if err := w.raw.Write(w.try); err != nil {
		return err
	}
	w.drop(w.sent)
	return w.err
}

// drop removes the first n bytes of the buffer, which were written.
func (w *batchConn) drop(n int) {
	w.buf = w.buf[:copy(w.buf, w.buf[n:])]
	if len(w.buf) > 0 {
		return
	}
	if cap(w.buf) <= 2*flushFrom {
		*w.pooled = w.buf
		batches.Put(w.pooled)
	}
	w.buf, w.pooled = nil, nil
}

// SetWriteDeadline sets the deadline of the next write that blocks.
func (w *batchConn) SetWriteDeadline(t time.Time) error {
	if t.IsZero() {
		w.deadline.Store(0)
	} else {
		w.deadline.Store(t.UnixNano())
	}
	return nil
}

// SetDeadline sets the deadlines of reads and writes.
func (w *batchConn) SetDeadline(t time.Time) error {
	_ = w.SetWriteDeadline(t) // always nil
	return w.Conn.SetReadDeadline(t)
}

// abandon prepares the connection for Close: no write blocks any more, not even
// that of TLS's last record.
func (w *batchConn) abandon() {
	w.closing.Store(true)
	if !w.mu.TryLock() {
		w.Conn.Close() // unblocks the write in progress
		return
	}
	w.mu.Unlock()
}
