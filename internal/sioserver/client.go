package sioserver

import (
	"bytes"
	"encoding/json"
	"sync"
	"time"

	"github.com/seed67206a74/parley/internal/engineio"
	"github.com/seed67206a74/parley/internal/socketio"
)

// maxAttachments is how many attachments a packet may have.
const maxAttachments = 10_000

// A client is the Socket.IO side of an Engine.IO session. It has a socket for
// each namespace that the session is connected to.
type client struct {
	engine  *engine
	server  *Server
	decoder socketio.Decoder // under engine.receiving

	mu      sync.Mutex
	sockets map[string]*Socket // by namespace; nil after a disconnect by the server
	connect *time.Timer        // ends a session without a socket
	gone    bool
}

func newClient(e *engine) *client {
	return &client{
		engine:  e,
		server:  e.server,
		decoder: socketio.Decoder{MaxAttachments: maxAttachments, MaxBytes: e.server.cfg.MaxPayload},
		sockets: map[string]*Socket{},
	}
}

// start starts the wait for the first CONNECT.
func (c *client) start() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.gone {
		c.connect = time.AfterFunc(c.server.cfg.ConnectTimeout, func() {
			c.engine.end(ReasonServerClose, closeSession{code: closeNormal})
		})
	}
}

const closeNormal = 1000

// message handles one message of the session. A packet that violates the
// protocol ends the session.
func (c *client) message(data []byte, binary bool) {
	p, whole, err := c.decoder.Add(data, binary)
	if err != nil {
		c.engine.end(ReasonParseError, closeSession{code: closeNormal})
		return
	}
	if whole && !c.packet(p) {
		c.engine.end(ReasonParseError, closeSession{code: closeNormal})
	}
}

// packet handles one packet. It returns false if the packet is not allowed.
func (c *client) packet(p socketio.Packet) bool {
	name := string(p.Namespace)
	c.mu.Lock()
	socket, known := c.sockets[name]
	c.mu.Unlock()
	if p.Type == socketio.Connect {
		if socket != nil || len(p.Data) > 0 && !json.Valid(p.Data) {
			return false
		}
		c.connectTo(name, bytes.Clone(p.Data))
		return true
	}
	if !known {
		return false // CONNECT comes first
	}
	if socket == nil { // the packet has crossed with the server's DISCONNECT
		return true
	}
	switch p.Type {
	case socketio.Disconnect:
		if p.Data != nil {
			return false
		}
		c.mu.Lock()
		delete(c.sockets, name)
		c.mu.Unlock()
		socket.detach(c, ReasonClientDisconnects, nil)
		return true
	case socketio.Event, socketio.BinaryEvent:
		return socket.event(p)
	case socketio.Ack, socketio.BinaryAck:
		return socket.acknowledged(p)
	}
	return false // only a server sends CONNECT_ERROR
}

// connectTo resumes a session in a namespace, or begins a new one.
func (c *client) connectTo(name string, auth json.RawMessage) {
	n := c.server.namespace(name)
	if n == nil {
		c.refuse(name, &ConnectError{Message: "Invalid namespace"})
		return
	}
	if n.resume(c, auth) {
		return
	}
	s := newSocket(n, c, auth)
	if !c.add(name, s) {
		return
	}
	if !s.start() {
		c.forget(name, s)
	}
}

// add makes s the client's socket in a namespace. It returns false if the
// session has ended.
func (c *client) add(name string, s *Socket) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone {
		return false
	}
	c.sockets[name] = s
	return true
}

// forget removes s. Packets for its namespace are ignored from then on, until
// the client connects again.
func (c *client) forget(name string, s *Socket) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sockets[name] == s {
		c.sockets[name] = nil
	}
}

// connected stops the wait for the first CONNECT.
func (c *client) connected() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.connect != nil {
		c.connect.Stop()
	}
}

// refuse sends a CONNECT_ERROR.
func (c *client) refuse(name string, why *ConnectError) {
	data, err := json.Marshal(why)
	if err != nil {
		data, _ = json.Marshal(&ConnectError{Message: why.Message}) // can always be encoded
	}
	c.send(socketio.Packet{Type: socketio.ConnectError, Namespace: []byte(name), ID: socketio.NoID, Data: data})
}

// send queues a packet and its attachments.
func (c *client) send(p socketio.Packet) {
	packets := make([]engineio.Packet, 1, 1+len(p.Binary))
	packets[0] = engineio.Packet{Type: engineio.TypeMessage, Data: p.Append(nil)}
	for _, b := range p.Binary {
		packets = append(packets, engineio.Packet{Type: engineio.TypeMessage, Binary: true, Data: b})
	}
	c.engine.send(packets...)
}

// closed detaches all sockets, once.
func (c *client) closed(reason Reason) {
	c.mu.Lock()
	if c.gone {
		c.mu.Unlock()
		return
	}
	c.gone = true
	if c.connect != nil {
		c.connect.Stop()
	}
	var all []*Socket
	for _, s := range c.sockets {
		if s != nil {
			all = append(all, s)
		}
	}
	c.sockets = nil
	c.mu.Unlock()
	for _, s := range all {
		s.detach(c, reason, nil)
	}
}
