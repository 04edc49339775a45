package chattest

import (
	"net/http"

	"github.com/seed67206a74/parley/internal/sioserver"
)

// NewInMemory starts a backend without a port: its connections are pipes in
// memory, and its clients reach it only through [Server.Transport]. If it is
// started and closed in a bubble of testing/synctest, it uses the bubble's
// clock: a test of hours of reconnects takes milliseconds.
//
// The caller calls Close.
func NewInMemory(cfg Config) *Server {
	memory := sioserver.NewMemory()
	s := serve(memory, cfg)
	s.URL = "http://chattest.invalid"
	s.memory = memory
	return s
}

// Transport returns the transport that reaches this backend, for
// conn.Config.HTTP. For a backend on a port it is a default http.Transport.
//
//	chat.Config{Conn: conn.Config{HTTP: server.Transport()}}
func (s *Server) Transport() *http.Transport {
	transport := &http.Transport{}
	if s.memory != nil {
		transport.DialContext = s.memory.DialContext
	}
	return transport
}
