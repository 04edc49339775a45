package chatnats

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// A Server is a real NATS server with JetStream in this process.
type Server struct {
	URL string // to connect to: "nats://127.0.0.1:34567"

	server *server.Server
	unlock func()
}

// Embedded starts a NATS server on a free port of the loopback interface. The
// server stores its streams in dir, and continues with the streams that are
// there. Embedded returns when the server accepts connections. On Unix it
// returns [ErrDirectoryInUse] if another server of this package uses dir. It
// detects no other program that uses dir, such as nats-server, and on other
// systems none at all. It returns the reason if the server does not start. The
// server writes no log and handles no signals. The caller must call Close.
func Embedded(dir string) (*Server, error) {
	if dir == "" {
		return nil, errors.New("chatnats: Embedded needs a directory")
	}
	return embed(dir, server.RANDOM_PORT)
}

// ErrDirectoryInUse: another embedded server uses the directory, which is
// detected on Unix only. Two servers in one directory lose events.
var ErrDirectoryInUse = errors.New("chatnats: another server uses the directory")

// lockName is the file in the directory that a running server has locked.
const lockName = "parley.lock"

func embed(dir string, port int) (*Server, error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("chatnats: embedded server: %w", err)
	}
	unlock, err := lock(filepath.Join(dir, lockName))
	if err != nil {
		return nil, fmt.Errorf("chatnats: embedded server: %w", err)
	}
	s, err := startServer(&server.Options{
		Host:      "127.0.0.1",
		Port:      port,
		JetStream: true,
		StoreDir:  dir,
		NoLog:     true,
		NoSigs:    true,
	})
	if err != nil {
		unlock()
		return nil, fmt.Errorf("chatnats: embedded server: %w", err)
	}
	return &Server{URL: s.ClientURL(), server: s, unlock: unlock}, nil
}

const startTimeout = 10 * time.Second

// startServer starts a server. If it does not start, startServer returns the
// last error that the server has logged.
func startServer(options *server.Options) (*server.Server, error) {
	s, err := server.NewServer(options)
	if err != nil {
		return nil, err
	}
	var log lastError
	s.SetLoggerV2(&log, false, false, false)
	returned := make(chan struct{})
	go func() { // ends when the server listens, or failed to start
		defer close(returned)
		s.Start()
	}()
	select {
	case <-returned:
	case <-time.After(startTimeout):
	}
	if s.ReadyForConnections(time.Second) {
		return s, nil
	}
	s.Shutdown()
	s.WaitForShutdown()
	if err := log.err(); err != nil {
		return nil, err
	}
	return nil, errors.New("chatnats: the embedded server does not start")
}

// Close stops the server, and returns when its streams are on disk.
func (s *Server) Close() {
	s.server.Shutdown()
	s.server.WaitForShutdown()
	s.unlock()
}

// lastError is a server.Logger that keeps the last error.
type lastError struct {
	mu   sync.Mutex
	text string
}

func (l *lastError) keep(format string, v []any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = fmt.Sprintf(format, v...)
}

func (l *lastError) err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.text == "" {
		return nil
	}
	return errors.New(l.text)
}

func (l *lastError) Fatalf(format string, v ...any) { l.keep(format, v) }
func (l *lastError) Errorf(format string, v ...any) { l.keep(format, v) }
func (l *lastError) Noticef(string, ...any)         {}
func (l *lastError) Warnf(string, ...any)           {}
func (l *lastError) Debugf(string, ...any)          {}
func (l *lastError) Tracef(string, ...any)          {}
