package sioserver

import (
	"net/http"
	"sync"

	"github.com/gorilla/websocket"
)

// A Server is a Socket.IO server. It is an http.Handler for every path. Its
// methods are safe for concurrent use.
type Server struct {
	cfg      Config
	upgrader websocket.Upgrader

	running sync.WaitGroup // requests, and goroutines of sockets

	mu         sync.Mutex
	closed     bool
	engines    map[string]*engine // by sid
	namespaces map[string]*Namespace
	dynamic    []func(name string) (Handlers, bool)
}

// New returns a server without namespaces.
func New(cfg Config) *Server {
	cfg = cfg.withDefaults()
	return &Server{
		cfg: cfg,
		upgrader: websocket.Upgrader{
			EnableCompression: cfg.Compress,
			CheckOrigin:       func(*http.Request) bool { return true },
			WriteBufferPool:   &sync.Pool{},
		},
		engines:    map[string]*engine{},
		namespaces: map[string]*Namespace{},
	}
}

// Namespace adds a namespace such as "/" or "/admin", and returns it. If it
// exists already, its handlers are replaced for sockets that connect later.
func (s *Server) Namespace(name string, h Handlers) *Namespace {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addNamespace(name, h)
}

func (s *Server) addNamespace(name string, h Handlers) *Namespace {
	n := s.namespaces[name]
	if n == nil {
		n = newNamespace(s, name)
		s.namespaces[name] = n
	}
	n.setHandlers(h)
	return n
}

// Dynamic adds namespaces on demand. When a client connects to a namespace that
// does not exist, match is called with its name. It returns the handlers, or
// false if there is no such namespace. match must not call the server.
func (s *Server) Dynamic(match func(name string) (Handlers, bool)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dynamic = append(s.dynamic, match)
}

// namespace returns an existing or a dynamic namespace, or nil.
func (s *Server) namespace(name string) *Namespace {
	s.mu.Lock()
	n, matches, closed := s.namespaces[name], s.dynamic, s.closed
	s.mu.Unlock()
	if n != nil || closed {
		return n
	}
	for _, match := range matches {
		if h, ok := match(name); ok {
			s.mu.Lock()
			defer s.mu.Unlock()
			if n = s.namespaces[name]; n == nil { // another client may have been faster
				n = s.addNamespace(name, h)
			}
			return n
		}
	}
	return nil
}

// CloseClientConnections breaks all connections, as a failing network does.
// Sessions may be recovered afterwards.
func (s *Server) CloseClientConnections() {
	for _, e := range s.allEngines() {
		e.end(ReasonTransportClose, breakConnection{})
	}
}

// Close ends all sessions and waits for all goroutines of the server. Handlers
// must return when the context of their socket ends; they must not call Close.
// The owner of the listener closes it first.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	namespaces := make([]*Namespace, 0, len(s.namespaces))
	for _, n := range s.namespaces {
		namespaces = append(namespaces, n)
	}
	s.mu.Unlock()
	for _, e := range s.allEngines() {
		e.finish(ReasonServerShutdown)
	}
	for _, n := range namespaces {
		n.endAll()
	}
	s.running.Wait()
}

func (s *Server) allEngines() []*engine {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*engine, 0, len(s.engines))
	for _, e := range s.engines {
		all = append(all, e)
	}
	return all
}

// begin reports whether a new request or goroutine may start. If so, the caller
// calls s.running.Done at its end.
func (s *Server) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.running.Add(1)
	return true
}

func (s *Server) engine(sid string) *engine {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.engines[sid]
}

// register makes e known by its sid. It returns false after Close.
func (s *Server) register(e *engine) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.engines[e.sid] = e
	return true
}

func (s *Server) unregister(e *engine) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.engines, e.sid)
}
