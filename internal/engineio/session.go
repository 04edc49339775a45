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
)

// A Session is an open Engine.IO session. One goroutine may read while others
// write; Close and CloseNow may be called from any goroutine.
type Session struct {
	handshake handshake
	ctx       context.Context // ends with CloseNow
	cancel    context.CancelFunc

	reading    transport   // the reader's own
	readerBusy atomic.Bool // the reader is not in Read

	writing sync.Mutex  // held while something is written
	batch   []packet    // under writing
	pongDue atomic.Bool // a ping waits for its answer, or may

	mu        sync.Mutex
	transport transport   // replaced by an upgrade, which holds writing as well
	upgraded  *candidate  // to be switched over to; nil for none
	silent    time.Time   // when the server counts as silent
	pingTimer *time.Timer // runs pongForBusyReader; nil before the first expectPing
	closed    bool
}

// A transport carries the packets of a session. One goroutine reads while
// another one writes.
type transport interface {
	read() (packet, error)
	write(packets []packet) error
	readUntil(t time.Time)            // reading fails after t
	close(within time.Duration) error // tells the server
	closeNow()
}

func (s *Session) current() transport {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.transport
}

func (s *Session) readOpen() error {
	p, err := s.reading.read()
	if poll, ok := s.reading.(*polling); ok && poll.payload.ofRevision3() {
		return &HandshakeError{StatusCode: http.StatusOK, Code: CodeUnsupported, Message: "a payload as in revision 3"}
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

// expectPing restarts the wait for the server's next ping. If the reader is busy
// after the given time, pongForBusyReader sends a pong.
func (s *Session) expectPing(within time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.silent = time.Now().Add(s.handshake.pingInterval + s.handshake.pingTimeout)
	s.transport.readUntil(s.silent)
	if s.pingTimer == nil {
		s.pingTimer = time.AfterFunc(within, s.pongForBusyReader)
	} else {
		s.pingTimer.Reset(within)
	}
}

// pongForBusyReader sends a pong while the reader is blocked on a subscriber. The
// ping that is due is unread, but the server waits for a pong. The server does
// not count as silent meanwhile.
func (s *Session) pongForBusyReader() {
	if !s.readerBusy.Load() {
		return // it is in Read
	}
	s.pongDue.Store(true)
	if s.sendPong() == nil {
		s.expectPing(s.handshake.pingInterval)
	}
}

// Read waits for the next message, and answers the server's pings meanwhile.
// While no Read is active, the session answers them itself. The message's data is good until the next Read. Read ends when the session
// does, and its error is final: [ErrPingTimeout], [ErrClosed], a
// [*ProtocolError], or that of the network.
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

// readError returns ErrPingTimeout for a timeout, else err.
func readError(err error) error {
	var failure net.Error
	if errors.As(err, &failure) && failure.Timeout() {
		return ErrPingTimeout
	}
	return err
}

// Write sends messages in their order, with nothing in between. Each is
// written within the session's write timeout. After an error the session is of
// no more use.
func (s *Session) Write(messages ...Message) error {
	if err := s.writeAll(messages); err != nil {
		return err
	}
	return s.sendPong()
}

func (s *Session) writeAll(messages []Message) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	for _, m := range messages {
		s.batch = append(s.batch, packet{message, m.Binary, m.Data})
	}
	err := s.current().write(s.batch)
	clear(s.batch) // release sent messages to the garbage collector
	s.batch = s.batch[:0]
	return err
}

var onePong = []packet{{kind: pong}}

// sendPong answers the last ping, if it is unanswered. The reader never waits for
// a write: if one is in progress, its goroutine sends the pong as well. The
// writer checks pongDue after it unlocks writing, the reader sets pongDue before
// it tries the lock, so one of the two sends the pong.
func (s *Session) sendPong() error {
	for s.pongDue.Load() && s.writing.TryLock() {
		var err error
		if s.pongDue.Swap(false) {
			err = s.current().write(onePong)
		}
		s.writing.Unlock()
		if err != nil {
			return err
		}
	}
	return nil
}

// Close tells the server that the session ends, within the given time: by a
// websocket close frame, or by a close packet. The server's answer ends the
// reader.
func (s *Session) Close(within time.Duration) error { return s.current().close(within) }

// CloseNow closes the connection at once: Read and Write fail from then on.
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
