package sioserver

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/seed67206a74/parley/internal/socketio"
)

// ErrGone is returned by methods of a Socket that has no connection.
var ErrGone = errors.New("sioserver: socket is not connected")

// A Socket is one client in one namespace, across the connections of a session
// that is resumed. Its methods are safe for concurrent use.
type Socket struct {
	ID      string
	Auth    json.RawMessage // payload of the CONNECT packet; nil without one
	Request *http.Request   // of the first handshake; its body is read
	Data    any             // for the handlers

	namespace *Namespace
	handlers  Handlers
	pid       string // private id for recovery; "" without
	ctx       context.Context
	cancel    context.CancelFunc
	inbox     inbox

	mu        sync.Mutex
	client    *client // of the current connection; nil without one
	link      context.Context
	unlink    context.CancelFunc
	admitted  bool // the CONNECT is answered
	recovered bool
	ended     bool
	expiry    *time.Timer // ends a session that may be resumed
	log       eventLog
	acks      map[int64]chan<- Reply
	nextAck   int64
}

func newSocket(n *Namespace, c *client, auth json.RawMessage) *Socket {
	n.mu.Lock()
	handlers := n.handlers
	n.mu.Unlock()
	s := &Socket{
		ID:        rand.Text(),
		Auth:      auth,
		Request:   c.engine.request,
		namespace: n,
		handlers:  handlers,
		inbox:     newInbox(),
		client:    c,
		acks:      map[int64]chan<- Reply{},
	}
	if n.server.cfg.Recovery > 0 {
		s.pid = rand.Text()
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.link, s.unlink = context.WithCancel(s.ctx)
	return s
}

// Namespace returns the socket's namespace.
func (s *Socket) Namespace() *Namespace { return s.namespace }

// Context returns a context that ends with the session.
func (s *Socket) Context() context.Context { return s.ctx }

// Connected reports whether the socket has a connection.
func (s *Socket) Connected() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.client != nil && s.admitted
}

// Recovered reports whether the session has been resumed.
func (s *Socket) Recovered() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.recovered
}

// Transport returns the name of the present transport, or "" if the socket is
// not connected.
func (s *Socket) Transport() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.client == nil {
		return ""
	}
	name, _ := s.client.engine.transport()
	return name
}

// SessionID returns the Engine.IO session id of the current connection, or "".
func (s *Socket) SessionID() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.client == nil {
		return ""
	}
	return s.client.engine.sid
}

// start starts the socket's goroutine. It returns false after Server.Close.
func (s *Socket) start() bool {
	if !s.namespace.server.begin() {
		s.cancel()
		return false
	}
	go func() { // ends when the session is over
		defer s.namespace.server.running.Done()
		defer s.finish()
		if s.admit() {
			s.inbox.work()
		}
	}()
	return true
}

// finish ends the session for its handlers. It also runs when a handler ends
// the goroutine, as a failing test does.
func (s *Socket) finish() {
	s.mu.Lock()
	c, admitted := s.client, s.admitted
	s.client, s.ended = nil, true
	if s.expiry != nil {
		s.expiry.Stop()
	}
	s.mu.Unlock()
	s.cancel()
	if c != nil {
		c.forget(s.namespace.Name, s)
	}
	if admitted && s.handlers.End != nil {
		s.handlers.End(s)
	}
	s.namespace.remove(s)
}

// admit calls the Admit handler and answers the CONNECT.
func (s *Socket) admit() bool {
	if s.handlers.Admit != nil {
		if err := s.handlers.Admit(s); err != nil {
			why, ok := errors.AsType[*ConnectError](err)
			if !ok {
				why = &ConnectError{Message: err.Error()}
			}
			s.mu.Lock()
			c := s.client
			s.mu.Unlock()
			if c != nil {
				c.forget(s.namespace.Name, s)
				c.refuse(s.namespace.Name, why)
			}
			return false
		}
	}
	if !s.namespace.add(s) { // it is gone
		return false
	}
	if s.handlers.Connect != nil {
		s.handlers.Connect(s)
	}
	return true
}

// sendConnect sends the CONNECT packet; s.mu is held.
func (s *Socket) sendConnect(c *client) {
	reply := map[string]string{"sid": s.ID}
	if s.pid != "" {
		reply["pid"] = s.pid
	}
	data, _ := json.Marshal(reply) // strings can always be encoded
	c.send(socketio.Packet{Type: socketio.Connect, Namespace: []byte(s.namespace.Name), ID: socketio.NoID, Data: data})
}

// detach ends the connection of the socket with c, after last. It ends the
// session too, unless it may be resumed.
func (s *Socket) detach(c *client, reason Reason, last func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.client != c {
		return
	}
	if last != nil {
		last()
	}
	s.client = nil
	s.unlink()
	clear(s.acks)
	if admitted := s.admitted; admitted && s.handlers.Disconnect != nil {
		s.inbox.put(func() { s.handlers.Disconnect(s, reason) })
	}
	if recovery := s.namespace.server.cfg.Recovery; recovery > 0 && s.admitted && reason.recoverable() {
		s.expiry = time.AfterFunc(recovery, s.expire)
	} else {
		s.endSession()
	}
}

// endSession marks the session as ended; s.mu is held.
func (s *Socket) endSession() {
	s.ended = true
	s.cancel()
	s.inbox.close()
}

// expire ends a session that was not resumed.
func (s *Socket) expire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.client == nil && !s.ended {
		s.endSession()
	}
}

// Disconnect sends a DISCONNECT packet and ends the session. The connection and
// the client's other namespaces stay.
func (s *Socket) Disconnect() {
	s.mu.Lock()
	c := s.client
	s.mu.Unlock()
	if c == nil {
		s.expire()
		return
	}
	s.detach(c, ReasonServerDisconnects, func() {
		c.forget(s.namespace.Name, s)
		c.send(socketio.Packet{Type: socketio.Disconnect, Namespace: []byte(s.namespace.Name), ID: socketio.NoID})
	})
}

// Close closes the connection with a websocket close code and text, or with an
// Engine.IO close packet over long-polling. Queued events are sent first.
func (s *Socket) Close(code int, text string) {
	s.end(closeSession{code, text})
}

// CloseNow breaks the TCP connection, as a failing network does, after the
// queued events are sent.
func (s *Socket) CloseNow() { s.end(breakConnection{}) }

func (s *Socket) end(how ending) {
	s.mu.Lock()
	c := s.client
	s.mu.Unlock()
	if c == nil {
		return
	}
	reason := ReasonServerClose
	if _, broken := how.(breakConnection); broken {
		reason = ReasonTransportClose
	}
	c.engine.end(reason, how)
}

// event puts an event of the client into the inbox. It returns false if the
// packet is malformed.
func (s *Socket) event(p socketio.Packet) bool {
	e, err := newEvent(s, p)
	if err != nil {
		return false
	}
	s.inbox.put(func() {
		if s.handlers.Event != nil {
			s.handlers.Event(e)
		}
	})
	return true
}
