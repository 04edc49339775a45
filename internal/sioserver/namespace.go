package sioserver

import (
	"encoding/json"
	"slices"
	"sync"
)

// Handlers are the functions of a namespace; any may be nil. Those of one
// socket run one after the other in a goroutine of the socket, and may block.
type Handlers struct {
	// Admit decides about a client that connects, before its CONNECT is
	// answered. An error refuses it: a [*ConnectError], or an error whose text
	// is the message. Admit is not called for a resumed session.
	Admit func(s *Socket) error

	// Connect is called after the answer, for a new and for a resumed session.
	Connect func(s *Socket)

	// Event is called for each event.
	Event func(e *Event)

	// Disconnect is called when the connection has ended, after the events that
	// came before.
	Disconnect func(s *Socket, reason Reason)

	// End is called when the session has ended. With Config.Recovery this is
	// when it can no longer be resumed, or at Server.Close. The socket leaves
	// its rooms after End has returned.
	End func(s *Socket)
}

// A ConnectError refuses a client in a CONNECT_ERROR packet.
type ConnectError struct {
	Message string `json:"message"`
	Data    any    `json:"data,omitempty"`
}

func (e *ConnectError) Error() string { return e.Message }

// A Namespace is a set of sockets and rooms.
type Namespace struct {
	Name   string
	server *Server

	mu       sync.Mutex
	handlers Handlers
	sockets  []*Socket            // connected or resumable, in the order of connecting
	byPID    map[string]*Socket   // resumable
	rooms    map[string][]*Socket // in the order of joining
}

func newNamespace(s *Server, name string) *Namespace {
	return &Namespace{
		Name:   name,
		server: s,
		byPID:  map[string]*Socket{},
		rooms:  map[string][]*Socket{},
	}
}

func (n *Namespace) setHandlers(h Handlers) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.handlers = h
}

// Sockets returns the connected sockets in the order in which they connected.
func (n *Namespace) Sockets() []*Socket {
	n.mu.Lock()
	all := slices.Clone(n.sockets)
	n.mu.Unlock()
	return slices.DeleteFunc(all, func(s *Socket) bool { return !s.Connected() })
}

// Emit sends an event to the sockets of the given rooms, or to all sockets if
// there are no rooms. Each socket gets it once.
func (n *Namespace) Emit(rooms []string, name string, args ...any) error {
	event, err := encodeEvent(name, args)
	if err != nil {
		return err
	}
	n.mu.Lock()
	var to []*Socket
	if len(rooms) == 0 {
		to = slices.Clone(n.sockets)
	}
	for _, room := range rooms {
		for _, s := range n.rooms[room] {
			if !slices.Contains(to, s) {
				to = append(to, s)
			}
		}
	}
	n.mu.Unlock()
	for _, s := range to {
		_ = s.emit(event) // a socket that is gone misses it
	}
	return nil
}

// Room returns the sockets of a room in the order in which they joined,
// including the resumable ones.
func (n *Namespace) Room(room string) []*Socket {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.rooms[room])
}

// add makes an admitted socket a member and answers its CONNECT, in one step:
// no event of the namespace comes before the answer. It returns false if the
// client is gone.
func (n *Namespace) add(s *Socket) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.client == nil {
		return false
	}
	s.admitted = true
	n.sockets = append(n.sockets, s)
	if s.pid != "" {
		n.byPID[s.pid] = s
	}
	s.client.connected()
	s.sendConnect(s.client)
	return true
}

// remove takes a socket out of the namespace and its rooms.
func (n *Namespace) remove(s *Socket) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.sockets = slices.DeleteFunc(n.sockets, func(other *Socket) bool { return other == s })
	delete(n.byPID, s.pid)
	for room := range n.rooms {
		n.leave(s, room)
	}
}

func (n *Namespace) leave(s *Socket, room string) {
	n.rooms[room] = slices.DeleteFunc(n.rooms[room], func(other *Socket) bool { return other == s })
	if len(n.rooms[room]) == 0 {
		delete(n.rooms, room)
	}
}

// resume gives a client the session that its CONNECT asks for. It returns false
// if there is no such session.
func (n *Namespace) resume(c *client, auth json.RawMessage) bool {
	var ask struct {
		PID    string `json:"pid"`
		Offset string `json:"offset"`
	}
	if len(auth) == 0 || json.Unmarshal(auth, &ask) != nil || ask.PID == "" {
		return false
	}
	n.mu.Lock()
	s := n.byPID[ask.PID]
	n.mu.Unlock()
	return s != nil && s.resume(c, ask.Offset)
}

// endAll ends the sockets that have no connection and may be resumed.
func (n *Namespace) endAll() {
	n.mu.Lock()
	all := slices.Clone(n.sockets)
	n.mu.Unlock()
	for _, s := range all {
		s.expire()
	}
}
