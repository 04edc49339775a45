package conn

import (
	"context"
	"fmt"
	"sync"
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

	// Used by the reader only.
	packets socketio.Decoder
	decoder decoder
	offset  []byte // the last offset that the server sent

	early     []socketio.Packet // events that came before the reply to CONNECT
	earlySize int64             // their memory in bytes

	batch []Message // used by serve only
}

// connectReply is the payload of the server's CONNECT packet.
type connectReply struct {
	SID string // the socket's id
	PID string // private, for recovery; "" if the server has it disabled
}

// newSession returns a session before the reply to its CONNECT. It has the
// offset of the session to resume.
func (c *Conn) newSession(engine Engine) *Session {
	s := &Session{
		conn:      c,
		engine:    engine,
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
// decodes that into reply, a pointer. It does not wait for Ready. Its errors
// are those of the function [Call].
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
	reply := make(chan body, 1)
	id := s.expectAck(reply)
	defer s.takeAck(id)
	if handed, err := s.send(ctx, socketio.Event, id, data); err != nil {
		return body{}, handed, err
	}
	return s.await(ctx, reply)
}

// await waits for the acknowledgement of an event that was sent. The server may
// always have received the event.
func (s *Session) await(ctx context.Context, reply <-chan body) (answer body, handed bool, err error) {
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
		return body{}, true, err
	}
}

// packet encodes a packet of this session's namespace: its text and its
// attachments.
func (s *Session) packet(t socketio.Type, id int64, b body) []Message {
	if len(b.attachments) > 0 {
		t = map[socketio.Type]socketio.Type{socketio.Event: socketio.BinaryEvent, socketio.Ack: socketio.BinaryAck}[t]
	}
	p := socketio.Packet{Type: t, Namespace: s.namespace, ID: id, Attachments: len(b.attachments), Data: b.data}
	messages := make([]Message, 1, 1+len(b.attachments))
	messages[0].Data = p.Append(make([]byte, 0, len(b.data)+32))
	for _, data := range b.attachments {
		messages = append(messages, Message{Binary: true, Data: data})
	}
	return messages
}

func (s *Session) outgoing(t socketio.Type, id int64, b body) *outgoing {
	o := &outgoing{messages: s.packet(t, id, b), written: make(chan error, 1)}
	for _, m := range o.messages {
		o.size += int64(len(m.Data))
	}
	return o
}

// send queues a packet and waits until it is written. handed reports whether
// the server may have received any of it.
func (s *Session) send(ctx context.Context, t socketio.Type, id int64, b body) (handed bool, err error) {
	o := s.outgoing(t, id, b)
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
	case err := <-o.written: // written meanwhile
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

// write writes the queued packets and returns them. The caller reports the
// result to the queue.
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
	clear(s.batch) // release sent messages to the garbage collector
	s.batch = s.batch[:0]
	if err == nil {
		s.conn.counters.sent.Add(uint64(len(items)))
		s.conn.counters.sentBytes.Add(size)
	}
	return items, err
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

// disconnect writes the queued packets, sends DISCONNECT and closes the engine
// gracefully.
func (s *Session) disconnect() {
	s.cancel() // unblocks a reader that waits for a blocking subscription
	s.queue.close()
	items, err := s.write()
	s.queue.written(items, err)
	if err != nil || s.engine.Write(s.packet(socketio.Disconnect, socketio.NoID, body{})...) != nil {
		return
	}
	if s.engine.Close(closeTimeout) == nil {
		s.awaitReader()
	}
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

// end closes the socket and returns when the reader has ended.
func (s *Session) end() {
	s.cancel()
	s.queue.close()
	s.engine.CloseNow()
	<-s.readDone
	close(s.ended)
}
