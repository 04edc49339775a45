package conn

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/seed67206a74/parley/conn/internal/socketio"
)

// goodbyeTimeout bounds how long an ending session waits for the other end.
const goodbyeTimeout = time.Second

// A session is one stay in the namespace, from CONNECT to the end of its
// socket. Ids, acknowledgements and waiting writers belong to it and end with
// it, so that what comes late from one session can never reach the next.
type session struct {
	engine    Engine
	id        string // the socket's id, given by the server
	namespace []byte

	outgoing chan outgoing   // to the goroutine that serves the session
	pings    chan struct{}   // from the reader: answer one
	readDone chan error      // from the reader: why it ended
	ctx      context.Context // ends as soon as the session is to end
	cancel   context.CancelFunc
	ended    chan struct{} // closed when the session has ended

	mu     sync.Mutex
	acks   map[int64]chan<- []byte // who waits for which acknowledgement
	nextID int64

	attachments int // binary messages that an event has announced; the reader's
	decoder     decoder
}

// outgoing is a packet on its way to the socket.
type outgoing struct {
	data    []byte
	written chan<- error // has room for one
}

func newSession(engine Engine, id, namespace string) *session {
	s := &session{
		engine:    engine,
		id:        id,
		namespace: []byte(namespace),
		outgoing:  make(chan outgoing),
		readDone:  make(chan error, 1),
		ended:     make(chan struct{}),
		acks:      map[int64]chan<- []byte{},
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// packet encodes a packet of this session's namespace.
func (s *session) packet(t socketio.Type, id int64, data []byte) []byte {
	return socketio.Packet{Type: t, Namespace: s.namespace, ID: id, Data: data}.Append(make([]byte, 0, len(data)+32))
}

// send hands a packet to the serving goroutine and waits until it is written.
// handed reports whether the server may have seen any of it.
func (s *session) send(ctx context.Context, data []byte) (handed bool, err error) {
	written := make(chan error, 1)
	select {
	case s.outgoing <- outgoing{data, written}:
	case <-ctx.Done():
		return false, ctx.Err()
	case <-s.ctx.Done():
		return false, ErrSessionLost
	}
	// The serving goroutine answers each packet that it has taken.
	select {
	case err := <-written:
		if err != nil {
			return true, fmt.Errorf("%w: %w", ErrSessionLost, err)
		}
		return true, nil
	case <-ctx.Done():
		return true, ctx.Err()
	}
}

// expectAck gives out an id for a packet that wants an acknowledgement, and
// the channel that its payload will come on.
func (s *session) expectAck() (id int64, reply <-chan []byte) {
	ch := make(chan []byte, 1)
	s.mu.Lock()
	defer s.mu.Unlock()
	id = s.nextID
	s.nextID++
	s.acks[id] = ch
	return id, ch
}

// takeAck returns who waits for the acknowledgement, once; nil if nobody does
// any more, or nobody ever did.
func (s *session) takeAck(id int64) chan<- []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch := s.acks[id]
	delete(s.acks, id)
	return ch
}

// sayGoodbye leaves the namespace and closes the socket in an orderly way.
func (s *session) sayGoodbye() {
	s.cancel() // a reader stuck behind a blocking subscription comes free
	if s.engine.Write(Message{Data: s.packet(socketio.Disconnect, socketio.NoID, nil)}) != nil {
		return
	}
	if s.engine.Goodbye(goodbyeTimeout) == nil {
		s.awaitReader()
	}
}

// awaitReader waits a little for the reader to end by itself, and returns its
// error; nil if it goes on reading.
func (s *session) awaitReader() error {
	timer := time.NewTimer(goodbyeTimeout)
	defer timer.Stop()
	select {
	case err := <-s.readDone:
		s.readDone <- err
		return err
	case <-timer.C:
		return nil
	}
}

// end closes the socket and returns when the reader has ended.
func (s *session) end() {
	s.cancel()
	s.engine.Close()
	<-s.readDone
	close(s.ended)
}
