package engineio

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
)

// A Session is an open Engine.IO session. One goroutine at a time may call
// Read; any number may call the other methods.
type Session struct {
	handshake handshake
	ctx       context.Context // ends with CloseNow
	cancel    context.CancelFunc

	reading    transport   // used by the reader only
	paceUntil  time.Time   // used by the reader only; zero outside of a large payload
	readerBusy atomic.Bool // no Read is active

	writing sync.Mutex             // held during a write
	batch   []packet               // guarded by writing
	pongDue atomic.Bool            // a pong must be sent
	wsPing  atomic.Pointer[string] // data of a websocket's ping that has no pong yet

	mu        sync.Mutex
	transport transport   // an upgrade replaces it with mu and writing held
	upgraded  *candidate  // the websocket of an upgrade; nil for none
	deadline  time.Time   // of the next ping
	pingTimer *time.Timer // runs pongForBusyReader; nil before the first expectPing
	closed    bool
}

// A transport carries the packets of a session. One goroutine reads while
// another one writes.
type transport interface {
	read() (packet, error)
	write(packets []packet) error
	sizeOf(p packet) int              // in bytes as it is sent
	readUntil(t time.Time)            // read fails after t
	close(within time.Duration) error // sends a close packet or frame
	closeNow()
}

// Heartbeat returns the time within which each side notices that the other one
// has gone.
func (s *Session) Heartbeat() time.Duration {
	return s.handshake.pingInterval + s.handshake.pingTimeout
}

func (s *Session) current() transport {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.transport
}

func (s *Session) readOpen() error {
	p, err := s.reading.read()
	if poll, ok := s.reading.(*polling); ok && poll.payload.isRevision3() {
		return &HandshakeError{StatusCode: http.StatusOK, Code: CodeUnsupported, Message: "payload of Engine.IO revision 3"}
	}
	if err != nil {
		return err
	}
	if p.kind != open || p.binary {
		return &ProtocolError{fmt.Errorf("first packet is of type %q, not open", byte(p.kind))}
	}
	if s.handshake, err = parseHandshake(p.data); err != nil {
		return &ProtocolError{err}
	}
	s.expectPing(s.handshake.pingInterval + s.handshake.pingTimeout/2)
	return nil
}

// expectPing sets the deadline of the server's next ping. After the given time
// pongForBusyReader sends a pong if the reader is busy.
func (s *Session) expectPing(within time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.deadline = time.Now().Add(s.handshake.pingInterval + s.handshake.pingTimeout)
	s.transport.readUntil(s.deadline)
	if s.pingTimer == nil {
		s.pingTimer = time.AfterFunc(within, s.pongForBusyReader)
	} else {
		s.pingTimer.Reset(within)
	}
}

// pongForBusyReader sends a pong while the reader is blocked on a subscriber.
// The server's ping may be unread, and without a pong the server ends the
// session. The deadline of the next ping moves on as well. If the reader is not
// blocked, Read answers the ping, unless the reader is blocked before the ping
// arrives. So pongForBusyReader runs again, often enough for the server's
// timeout, until Read has read the ping.
func (s *Session) pongForBusyReader() {
	if !s.readerBusy.Load() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if !s.closed {
			s.pingTimer.Reset(s.handshake.pingTimeout / 4)
		}
		return
	}
	s.pongDue.Store(true)
	if s.sendPong() == nil {
		s.expectPing(s.handshake.pingInterval)
	}
}

// Read returns the next message, and answers the server's pings meanwhile. The
// data of the message is valid until the next Read. Read fails when the session
// ends, and the error is final: [ErrPingTimeout], [ErrClosed], a
// [*ProtocolError], a [*HandshakeError] or an error of the network.
func (s *Session) Read() (Message, error) {
	s.readerBusy.Store(false)
	defer s.readerBusy.Store(true)
	for {
		p, err := s.reading.read()
		if err != nil {
			if err == errPaused {
				err = s.switchOver()
			}
			if err != nil {
				return Message{}, readError(err)
			}
			continue
		}
		switch p.kind {
		case message:
			return Message{p.binary, p.data}, nil
		case ping:
			s.expectPing(s.handshake.pingInterval + s.handshake.pingTimeout/2)
			s.pongDue.Store(true)
			if err := s.sendPong(); err != nil {
				return Message{}, err
			}
		case closing:
			return Message{}, ErrClosed
		case open:
			return Message{}, &ProtocolError{errors.New("second open packet")}
		}
	}
}

// paceFrom is the number of packets from which a payload is large.
const paceFrom = 64

// Pace reports whether the last message is from a large polling payload, whose
// packets arrive faster than one by one. The caller of Read should then wait
// for its own readers, until the given time at most: the ping timeout after the
// payload became large.
func (s *Session) Pace() (until time.Time, ok bool) {
	p, ok := s.reading.(*polling)
	if !ok || p.packets < paceFrom {
		s.paceUntil = time.Time{}
		return time.Time{}, false
	}
	if s.paceUntil.IsZero() {
		s.paceUntil = time.Now().Add(s.handshake.pingTimeout)
	}
	return s.paceUntil, true
}

// Size returns the size in bytes of the largest message as it is sent over the
// current transport, and the server's limit for it. The limit is 0 for none.
func (s *Session) Size(messages ...Message) (largest, limit int64) {
	transport := s.current()
	for _, m := range messages {
		largest = max(largest, int64(transport.sizeOf(packet{message, m.Binary, m.Data})))
	}
	return largest, s.handshake.maxPayload
}

// readError returns ErrPingTimeout for a timeout, a TooLargeError for a close
// frame with that reason, else err.
func readError(err error) error {
	var frame *websocket.CloseError
	if errors.As(err, &frame) && frame.Code == websocket.CloseMessageTooBig {
		return &TooLargeError{Err: err}
	}
	var failure net.Error
	if errors.As(err, &failure) && failure.Timeout() {
		return ErrPingTimeout
	}
	return err
}

// Write sends messages in order, with no other message between them, and
// returns when they are written. Each message or POST has Options.WriteTimeout.
// After an error the session cannot be used any more.
func (s *Session) Write(messages ...Message) error {
	if err := s.writeAll(messages); err != nil {
		return err
	}
	return s.sendPong()
}

func (s *Session) writeAll(messages []Message) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	err := s.transport.write(s.collect(messages))
	s.forget()
	return err
}

// TryWrite writes messages as Write does, as far as that does not block. If
// taken is false, nothing was written: the session is over polling, the socket
// is full, or the messages are long. If more is true, Flush must be called.
func (s *Session) TryWrite(messages ...Message) (taken, more bool, err error) {
	if !s.writing.TryLock() {
		return false, false, nil
	}
	if ws, ok := s.transport.(*webSocket); ok {
		taken, more, err = ws.tryWrite(s.collect(messages))
		s.forget()
	}
	s.writing.Unlock()
	return taken, taken && (more || s.owesPong()), err
}

// Flush writes the rest of the messages of TryWrite.
func (s *Session) Flush() error {
	s.writing.Lock()
	var err error
	if ws, ok := s.transport.(*webSocket); ok {
		err = ws.flush()
	}
	s.writing.Unlock()
	if err != nil {
		return err
	}
	return s.sendPong()
}

// collect returns the packets of the messages; forget releases them to the
// garbage collector. writing is held.
func (s *Session) collect(messages []Message) []packet {
	for _, m := range messages {
		s.batch = append(s.batch, packet{message, m.Binary, m.Data})
	}
	return s.batch
}

func (s *Session) forget() {
	clear(s.batch)
	s.batch = s.batch[:0]
}

var onePong = []packet{{kind: pong}}

// sendPong sends a pong if one is due. The reader never waits for a write: if
// one is in progress, the writer sends the pong. The reader records the ping
// before it tries the lock, and the writer calls sendPong after it unlocks
// writing, so one of the two sends the pong.
func (s *Session) sendPong() error {
	for s.owesPong() && s.writing.TryLock() {
		var err error
		if s.pongDue.Swap(false) {
			err = s.transport.write(onePong)
		}
		if data := s.wsPing.Swap(nil); data != nil && err == nil {
			err = s.transport.write([]packet{{kind: wsPong, data: []byte(*data)}})
		}
		s.writing.Unlock()
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Session) owesPong() bool { return s.pongDue.Load() || s.wsPing.Load() != nil }

// control handles the websocket's own control frames. A frame that the library
// sends by itself could be in the middle of a batch.
func (s *Session) control(ws *webSocket) {
	ws.ws.SetPingHandler(func(data string) error {
		if s.current() != ws { // before the upgrade packet, which is no batch
			return ws.ws.WriteControl(websocket.PongMessage, []byte(data), time.Now().Add(ws.writeTimeout))
		}
		s.wsPing.Store(&data)
		return s.sendPong()
	})
	ws.ws.SetCloseHandler(func(code int, _ string) error {
		if s.writing.TryLock() { // otherwise the writer fails, too
			defer s.writing.Unlock()
			ws.echoClose(code)
		}
		return nil
	})
}

// Close sends a close frame over websocket, or a close packet over polling,
// within the given time. The server's reply ends the reader.
func (s *Session) Close(within time.Duration) error { return s.current().close(within) }

// CloseNow closes the connection at once. Calls of Read and Write fail, the
// pending ones as well. It returns nil.
func (s *Session) CloseNow() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.cancel()
	s.transport.closeNow()
	if s.pingTimer != nil {
		s.pingTimer.Stop()
	}
	if s.upgraded != nil {
		s.upgraded.ws.closeNow()
	}
	return nil
}
