package chatnats

import (
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// A Server is a real NATS server with JetStream in this process.
type Server struct {
	URL string // to connect to: "nats://127.0.0.1:34567"

	server *server.Server
}

// Embedded starts a NATS server on a free port of the loopback interface. The
// server stores its streams in dir, and continues with the streams that are
// there. Embedded returns when the server accepts connections. The server
// writes no log and handles no signals. The caller must call Close.
func Embedded(dir string) (*Server, error) {
	if dir == "" {
		return nil, errors.New("chatnats: Embedded needs a directory")
	}
	return embed(dir, server.RANDOM_PORT)
}

func embed(dir string, port int) (*Server, error) {
	s, err := server.NewServer(&server.Options{
		Host:      "127.0.0.1",
		Port:      port,
		JetStream: true,
		StoreDir:  dir,
		NoLog:     true,
		NoSigs:    true,
	})
	if err != nil {
		return nil, fmt.Errorf("chatnats: embedded server: %w", err)
	}
	go s.Start() // returns when the server listens, or failed to start
	if !s.ReadyForConnections(startTimeout) {
		s.Shutdown()
		return nil, errors.New("chatnats: the embedded server does not start")
	}
	return &Server{URL: s.ClientURL(), server: s}, nil
}

const startTimeout = 10 * time.Second

// Close stops the server, and returns when its streams are on disk.
func (s *Server) Close() {
	s.server.Shutdown()
	s.server.WaitForShutdown()
}
