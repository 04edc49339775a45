package conn

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/seed67206a74/parley/internal/socketio"
)

// goodbyeTimeout bounds how long an ending session waits for the other end.
const goodbyeTimeout = time.Second

// A Session is one stay in the namespace, from the server's answer to CONNECT
// to the end of its socket. Its acknowledgements and waiting writers end with
// it: nothing that arrives late on one session reaches the next.
//
// [Config].OnConnect, [Conn.Do] and [Conn.Session] give the current one. Two
// Sessions are the same if their pointers are equal; their methods are safe for
// concurrent use.
type Session struct {
	conn      *Conn
	engine    Engine
	epoch     uint64
	reply     connectReply // the server's answer to CONNECT
	recovered bool         // the server has resumed the session before
	namespace []byte

	queue    *queue          // to the goroutine that serves the session
	readDone chan error      // from the reader: why it ended
	ctx      context.Context // ends as soon as the session is to end
	cancel   context.CancelFunc
	ended    chan struct{} // closed when the session has ended

	mu     sync.Mutex
	acks   map[int64]chan<- body // who waits for which acknowledgement
	nextID int64

	// The reader's own.
	packets socketio.Decoder
	decoder decoder
	offset  []byte // the last one that the server has given

	batch []Message // the serving goroutine's
}

// welcome is what the server's CONNECT says.
type connectReply struct {
	SID string `json:"sid"` // the socket's id
	PID string `json:"pid"` // private, for recovery; "" where the server has none
}

// newSession returns a session whose CONNECT has no answer yet. Until then it
// counts as a continuation of the session to resume: the server may send what
// was missed before it answers.
func (c *Conn) newSession(engine Engine) *Session {
	s := &Session{
		conn:      c,
		engine:    engine,
		epoch:     c.epoch,
		reply:     connectReply{PID: c.resume.pid},
		offset:    []byte(c.resume.offset),
		namespace: []byte(c.target.namespace),
		queue:     newQueue(c.cfg.MaxQueue, c.cfg.MaxQueueBytes),
		readDone:  make(chan error, 1),
		ended:     make(chan struct{}),
		acks:      map[int64]chan<- body{},
		packets:   socketio.Decoder{MaxAttachments: c.cfg.MaxAttachments, MaxBytes: c.cfg.MaxFrame},
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// ID returns the id by which the server knows this socket.
func (s *Session) ID() string { return s.reply.SID }

// Recovered reports whether the server resumed the session before this one.
func (s *Session) Recovered() bool { return s.recovered }

// Epoch returns the number of the session's epoch; see [State].
func (s *Session) Epoch() uint64 { return s.epoch }

// Context returns a context that ends when the session does.
func (s *Session) Context() context.Context { return s.ctx }

// Emit sends an event on this session and waits until it is written. It does
// not wait for Ready: in [Config].OnConnect it sends before the connection is
// Ready. Its error is a [*SendError]; with [ErrSessionLost] in it once the
// session has ended. See [Conn.Emit] for the arguments.
func (s *Session) Emit(ctx context.Context, event string, args ...any) error {
	data, err := encodeEvent(event, args)
	if err != nil {
		return &SendError{Event: event, Err: err}
	}
	return s.emit(ctx, event, data)
}

func (s *Session) emit(ctx context.Context, event string, data body) error {
	if handed, err := s.send(ctx, socketio.Event, socketio.NoID, data); err != nil {
		return &SendError{Event: event, MaybeSent: handed, Err: err}
	}
	return nil
}

// Call sends an event on this session, waits for its acknowledgement, and
// decodes that into reply, a pointer. It does not wait for Ready; its errors are
// those of the function [Call].
func (s *Session) Call(ctx context.Context, reply any, event string, args ...any) error {
	data, err := encodeEvent(event, args)
	if err != nil {
		return &SendError{Event: event, Err: err}
	}
	return s.call(ctx, reply, event, data)
}

func (s *Session) call(ctx context.Context, reply any, event string, data body) error {
	answer, handed, err := s.request(ctx, data)
	if err != nil {
		return &SendError{Event: event, MaybeSent: handed, Err: err}
	}
	return s.conn.decodeReply(event, answer, reply)
}

// request sends an event and waits for its acknowledgement. handed reports
// whether the server may have received the event.
func (s *Session) request(ctx context.Context, data body) (answer body, handed bool, err error) {
	id, reply := s.expectAck()
	defer s.takeAck(id)
	if handed, err := s.send(ctx, socketio.Event, id, data); err != nil {
		return body{}, handed, err
	}
	select {
	case answer := <-reply:
		return answer, true, nil
	case <-ctx.Done():
		return body{}, true, ctx.Err()
	case <-s.ended:
		select {
		case answer := <-reply: // it came just before the end
			return answer, true, nil
		default:
			return body{}, true, ErrSessionLost
		}
	}
}

// packet encodes a packet of this session's namespace: its text, and its
// attachments.
func (s *Session) packet(t socketio.Type, id int64, c body) []Message {
	if len(c.attachments) > 0 {
		t = map[socketio.Type]socketio.Type{socketio.Event: socketio.BinaryEvent, socketio.Ack: socketio.BinaryAck}[t]
	}
	p := socketio.Packet{Type: t, Namespace: s.namespace, ID: id, Attachments: len(c.attachments), Data: c.data}
	messages := make([]Message, 1, 1+len(c.attachments))
	messages[0].Data = p.Append(make([]byte, 0, len(c.data)+32))
	for _, a := range c.attachments {
		messages = append(messages, Message{Binary: true, Data: a})
	}
	return messages
}

func (s *Session) outgoing(t socketio.Type, id int64, c body) *outgoing {
	o := &outgoing{messages: s.packet(t, id, c), written: make(chan error, 1)}
	for _, m := range o.messages {
		o.size += int64(len(m.Data))
	}
	return o
}

// send queues a packet and waits until it is written. handed reports whether
// the server may have seen any of it.
func (s *Session) send(ctx context.Context, t socketio.Type, id int64, c body) (handed bool, err error) {
	o := s.outgoing(t, id, c)
	if err := s.queue.put(ctx, o); err != nil {
		return false, err
	}
	select {
	case err := <-o.written:
		return true, lostUnless(err)
	case <-ctx.Done():
		err = ctx.Err()
	case <-s.ended:
		err = ErrSessionLost
	}
	if s.queue.withdraw(o) {
		return false, err
	}
	select {
	case err := <-o.written: // after all
		return true, lostUnless(err)
	default:
		return true, err
	}
}

func lostUnless(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrSessionLost, err)
}

// write writes what waits in the queue, and returns that: the caller tells the
// queue how it went.
func (s *Session) write() (items []*outgoing, err error) {
	items = s.queue.take()
	if len(items) == 0 {
		return nil, nil
	}
	size := uint64(0)
	for _, o := range items {
		s.batch = append(s.batch, o.messages...)
		size += uint64(o.size)
	}
	err = s.engine.Write(s.batch...)
	clear(s.batch) // it shall not keep what has been sent
	s.batch = s.batch[:0]
	if err == nil {
		s.conn.counters.sent.Add(uint64(len(items)))
		s.conn.counters.sentBytes.Add(size)
	}
	return items, err
}

// expectAck gives out an id for a packet that wants an acknowledgement, and
// the channel that its payload will come on.
func (s *Session) expectAck() (id int64, reply <-chan body) {
	ch := make(chan body, 1)
	s.mu.Lock()
	defer s.mu.Unlock()
	id = s.nextID
	s.nextID++
	s.acks[id] = ch
	return id, ch
}

// waiting tells how many wait for an acknowledgement.
func (s *Session) waiting() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.acks)
}

// takeAck returns who waits for the acknowledgement, once; nil if nobody does
// any more, or nobody ever did.
func (s *Session) takeAck(id int64) chan<- body {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch := s.acks[id]
	delete(s.acks, id)
	return ch
}

// sayGoodbye writes what is still queued, leaves the namespace and closes the
// socket in an orderly way.
func (s *Session) sayGoodbye() {
	s.cancel() // a reader stuck behind a blocking subscription comes free
	s.queue.close()
	items, err := s.write()
	s.queue.written(items, err)
	if err != nil || s.engine.Write(s.packet(socketio.Disconnect, socketio.NoID, body{})...) != nil {
		return
	}
	if s.engine.Close(goodbyeTimeout) == nil {
		s.awaitReader()
	}
}

// awaitReader waits a little for the reader to end by itself, and returns its
// error; nil if it goes on reading.
func (s *Session) awaitReader() error {
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
func (s *Session) end() {
	s.cancel()
	s.queue.close()
	s.engine.CloseNow()
	<-s.readDone
	close(s.ended)
}
