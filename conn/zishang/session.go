package zishang

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/seed67206a74/parley/conn"
	"github.com/zishang520/socket.io/clients/socket/v3"
	"github.com/zishang520/socket.io/v3/pkg/types"
)

// A session is a conn.Engine over the engine of the client.
type session struct {
	gate         *gate
	engine       socket.Engine
	maxFrame     int64
	writeTimeout time.Duration

	drained chan struct{} // has a value when the client has written its buffer
	ended   chan struct{} // closed when the client's session has ended

	mu      sync.Mutex
	err     error          // the reason of the end
	queue   []conn.Message // received by the client, not yet returned by Read
	bytes   int64          // in queue
	changed chan struct{}  // closed and replaced when queue changes
}

func newSession(to conn.Endpoint) *session {
	return &session{
		gate:         newGate(),
		maxFrame:     to.MaxFrame,
		writeTimeout: to.WriteTimeout,
		drained:      make(chan struct{}, 1),
		ended:        make(chan struct{}),
		changed:      make(chan struct{}),
	}
}

// push queues a message for Read. It runs in the client's goroutine. It blocks
// while the message does not fit into maxFrame bytes, unless the queue is
// empty.
func (s *session) push(m conn.Message) {
	for {
		s.mu.Lock()
		if len(s.queue) == 0 || s.bytes+int64(len(m.Data)) <= s.maxFrame {
			s.queue = append(s.queue, m)
			s.bytes += int64(len(m.Data))
			s.wake()
			s.mu.Unlock()
			return
		}
		changed := s.changed
		s.mu.Unlock()
		select {
		case <-changed:
		case <-s.ended:
			return
		}
	}
}

// wake wakes the goroutines that wait for a change; s.mu is held.
func (s *session) wake() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// Read waits for the next message; see [conn.Engine].
func (s *session) Read() (conn.Message, error) {
	for {
		s.mu.Lock()
		if len(s.queue) > 0 {
			m := s.queue[0]
			s.queue[0] = conn.Message{}
			s.queue = s.queue[1:]
			s.bytes -= int64(len(m.Data))
			s.wake()
			s.mu.Unlock()
			return m, nil
		}
		err, changed := s.err, s.changed
		s.mu.Unlock()
		if err != nil {
			return conn.Message{}, err
		}
		select {
		case <-changed:
		case <-s.ended:
		}
	}
}

// Write sends messages, and waits until the client has written them.
func (s *session) Write(messages ...conn.Message) error {
	select {
	case <-s.drained: // of an earlier write
	default:
	}
	for _, m := range messages {
		if m.Binary {
			s.engine.Send(types.NewBytesBuffer(m.Data), nil, nil)
		} else {
			s.engine.Send(types.NewStringBuffer(m.Data), nil, nil)
		}
	}
	timer := time.NewTimer(s.writeTimeout)
	defer timer.Stop()
	for !s.written() {
		select {
		case <-s.drained:
		case <-s.ended:
			return s.reason()
		case <-timer.C:
			return errors.New("zishang: write timed out")
		}
	}
	select {
	case <-s.ended: // the end empties the client's buffer as well
		return s.reason()
	default:
		return nil
	}
}

// written reports whether the client has nothing left to write.
func (s *session) written() bool {
	return s.engine.WriteBuffer().Len() == 0 && s.engine.Transport().Writable()
}

func (s *session) onDrain(...any) {
	select {
	case s.drained <- struct{}{}:
	default:
	}
}

// onClose handles the client's close event. Its arguments are a reason as text
// and, if there is one, an error.
func (s *session) onClose(args ...any) {
	reason, _ := args[0].(string)
	err := fmt.Errorf("zishang: %s", reason)
	if reason == "ping timeout" {
		err = conn.ErrPingTimeout
	} else if len(args) > 1 {
		if description, ok := args[1].(error); ok {
			err = fmt.Errorf("zishang: %s: %w", reason, cause(description))
		}
	}
	s.fail(err)
}

// fail ends the session with err, unless it has ended.
func (s *session) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return
	}
	s.err = err
	close(s.ended)
}

func (s *session) reason() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Close closes the client's session. The client closes the transport; over
// polling it sends a close packet first.
func (s *session) Close(time.Duration) error {
	s.engine.Close()
	return nil
}

// CloseNow ends the session at once.
func (s *session) CloseNow() error {
	s.gate.close()
	s.fail(net.ErrClosed)
	go s.engine.Close() // ends when the client's listeners have returned
	if t := s.engine.Transport(); t != nil {
		t.Close()
	}
	return nil
}
