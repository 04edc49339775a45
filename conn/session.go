package conn

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed67206a74/parley/internal/socketio"
)

// closeTimeout limits how long an ending session waits for the server.
const closeTimeout = time.Second

// A Session is one connection to the namespace, from the server's reply to
// CONNECT to the end of its socket. Acknowledgements and waiting writes end
// with it: a late packet of one session never reaches another.
//
// [Config].OnConnect and [Conn.Do] pass the current Session to a function;
// [Conn.Session] returns it. Sessions are compared by their pointers. Their
// methods are safe for concurrent use.
type Session struct {
	conn      *Conn
	engine    Engine
	direct    tryWriter // the engine, if callers can write themselves; else nil
	epoch     uint64
	reply     connectReply // to CONNECT
	recovered bool         // the server resumed the previous session
	namespace []byte

	queue    *queue          // to the goroutine that serves the session
	readDone chan error      // receives the reader's error
	ctx      context.Context // ends when the session begins to end
	cancel   context.CancelFunc
	ended    chan struct{} // closed when the session has ended

	mu     sync.Mutex            // no other lock is taken while it is held
	acks   map[int64]chan<- body // calls that wait for an acknowledgement, by id
	nextID int64
	offset []byte // the last offset that the server sent; set by the reader
	over   bool   // the next session continues after offset

	left bool // DISCONNECT was sent, or could not be sent; used by Run only

	// Used by the reader only.
	packets socketio.Decoder
	decoder decoder

	early     []socketio.Packet // events that came before the reply to CONNECT
	earlySize int64             // their memory in bytes
	earlyRead chan struct{}     // closed when they are published

	largest     atomic.Int64 // size of the largest message so far
	refusedSize atomic.Int64 // size of the message that ended the session; 0 for none

	batch []Message // used by the queue's writer only
}

// connectReply is the payload of the server's CONNECT packet.
type connectReply struct {
	SID string // the socket's id
	PID string // private, for recovery; "" if the server has it disabled
}

// newSession returns a session before the reply to its CONNECT.
func (c *Conn) newSession(engine Engine) *Session {
	s := &Session{
		conn:      c,
		engine:    engine,
		namespace: []byte(c.target.namespace),
		queue:     newQueue(c.cfg.MaxQueue, c.cfg.MaxQueueBytes),
		readDone:  make(chan error, 1),
		ended:     make(chan struct{}),
		earlyRead: make(chan struct{}),
		acks:      map[int64]chan<- body{},
		packets:   socketio.Decoder{MaxAttachments: c.cfg.MaxAttachments, MaxBytes: c.cfg.MaxFrame},
	}
	s.direct, _ = engine.(tryWriter)
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// ID returns the server's id of this socket.
func (s *Session) ID() string { return s.reply.SID }

// Recovered reports whether the server resumed the previous session.
func (s *Session) Recovered() bool { return s.recovered }

// Epoch returns the number of the session's epoch; see [State].
func (s *Session) Epoch() uint64 { return s.epoch }

// Context returns a context that ends when the session does.
func (s *Session) Context() context.Context { return s.ctx }

// Emit sends an event on this session and waits until it is written. It does
// not wait for Ready, so [Config].OnConnect can use it. Its error is a
// [*SendError], with [ErrSessionLost] if the session has ended. See [Conn.Emit]
// for the arguments.
func (s *Session) Emit(ctx context.Context, event string, args ...any) error {
	o, err := s.conn.encodeEvent(event, args)
	if err != nil {
		return &SendError{Event: event, Err: err}
	}
	defer o.release()
	return s.emit(ctx, event, o)
}

func (s *Session) emit(ctx context.Context, event string, o *outgoing) error {
	if handed, err := s.send(ctx, socketio.Event, socketio.NoID, o); err != nil {
		return &SendError{Event: event, MaybeSent: handed, Err: err}
	}
	return nil
}

// Call sends an event on this session, waits for its acknowledgement, and
// decodes that into reply, a pointer. It does not wait for Ready. Its errors
// are those of the function [Call].
func (s *Session) Call(ctx context.Context, reply any, event string, args ...any) error {
	o, err := s.conn.encodeEvent(event, args)
	if err != nil {
		return &SendError{Event: event, Err: err}
	}
	defer o.release()
	return s.call(ctx, reply, event, o)
}

func (s *Session) call(ctx context.Context, reply any, event string, o *outgoing) error {
	answer, handed, err := s.request(ctx, o)
	if err != nil {
		return &SendError{Event: event, MaybeSent: handed, Err: err}
	}
	return s.conn.decodeReply(event, answer, reply)
}

// request sends an event and waits for its acknowledgement. handed reports
// whether the server may have received the event.
func (s *Session) request(ctx context.Context, o *outgoing) (answer body, handed bool, err error) {
	reply := make(chan body, 1)
	id := s.expectAck(reply)
	defer s.takeAck(id)
	if handed, err := s.send(ctx, socketio.Event, id, o); err != nil {
		return body{}, handed, err
	}
	return s.await(ctx, o, reply)
}

// await waits for the acknowledgement of an event that was sent. handed is as
// for request.
func (s *Session) await(ctx context.Context, o *outgoing, reply <-chan body) (answer body, handed bool, err error) {
	select {
	case answer := <-reply:
		return answer, true, nil
	case <-ctx.Done():
		err = ctx.Err()
	case <-s.ended:
		err = ErrSessionLost
	}
	select {
	case answer := <-reply: // it arrived just before the end
		return answer, true, nil
	default:
		handed, err = s.blame(o.messages, true, err)
		return body{}, handed, err
	}
}

// expectAck returns an id for a packet that asks for an acknowledgement. The
// reader sends the acknowledgement's payload to reply, which has room for one.
func (s *Session) expectAck(reply chan<- body) (id int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id = s.nextID
	s.nextID++
	s.acks[id] = reply
	return id
}

// waiting returns the number of calls that wait for an acknowledgement.
func (s *Session) waiting() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.acks)
}

// takeAck removes and returns the channel of the call that waits for the
// acknowledgement; nil if no call does.
func (s *Session) takeAck(id int64) chan<- body {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch := s.acks[id]
	delete(s.acks, id)
	return ch
}

// awaitReader waits up to closeTimeout for the reader to end by itself. It
// returns the reader's error, or nil if the reader has not ended.
func (s *Session) awaitReader() error {
	timer := time.NewTimer(closeTimeout)
	defer timer.Stop()
	select {
	case err := <-s.readDone:
		s.readDone <- err
		return err
	case <-timer.C:
		return nil
	}
}

// end closes the socket. It waits for the reader, but not for a reader that is
// blocked on a subscription: that hands over its event, and then ends.
func (s *Session) end() {
	s.queue.close() // before s.cancel: after the end of s.ctx nothing is sent
	s.cancel()
	s.engine.CloseNow()
	s.awaitReader()
	close(s.ended)
}
