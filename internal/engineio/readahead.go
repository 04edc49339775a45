package engineio

import (
	"net"
	"sync"
)

// readAheadSize is the size of the buffer of a busy connection.
const readAheadSize = 16 << 10

var readAheads = sync.Pool{New: func() any { return new([readAheadSize]byte) }}

// A readAhead reads from a network connection. While data waits, one system
// call reads many frames into a buffer from a pool. So the websocket library
// needs only a small buffer, and an idle session has no other.
type readAhead struct {
	net.Conn
	full   bool                 // the last read filled its buffer: more data is likely
	pooled *[readAheadSize]byte // nil while data is empty
	data   []byte               // of pooled, not yet returned
}

func (r *readAhead) Read(p []byte) (int, error) {
	if len(r.data) == 0 {
		if !r.full {
			n, err := r.Conn.Read(p)
			r.full = n == len(p)
			return n, err
		}
		r.pooled = readAheads.Get().(*[readAheadSize]byte)
		n, err := r.Conn.Read(r.pooled[:])
		r.full = n == len(r.pooled)
		r.data = r.pooled[:n]
		if n == 0 { // an error beside data is returned again by the next read
			r.release()
			return 0, err
		}
	}
	n := copy(p, r.data)
	if r.data = r.data[n:]; len(r.data) == 0 {
		r.release()
	}
	return n, nil
}

func (r *readAhead) release() {
	readAheads.Put(r.pooled)
	r.pooled, r.data = nil, nil
}
