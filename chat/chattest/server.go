package chattest

import (
	"cmp"
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"sync"

	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/sioserver"
)

// A Server is a chat backend on a port of its own. Its methods are safe for
// concurrent use.
type Server struct {
	// URL is the address of the backend, without a path:
	// "http://127.0.0.1:34567".
	URL string

	cfg        Config
	memory     *sioserver.Memory // nil on a port
	faults     *faultListener
	http       *http.Server
	io         *sioserver.Server
	namespaces []*sioserver.Namespace
	running    sync.WaitGroup // the accepting goroutine, and answers

	ctx  context.Context // of everything that Close ends
	stop context.CancelFunc

	mu       sync.Mutex            // held for each step: one event received, or one sent
	names    map[events.Key]string // of all events
	keys     map[string]events.Key // keys by name
	turns    map[*turn]struct{}
	handlers map[string]Handler
	record   record
}

// NewServer starts a backend on a free port of the loopback interface. It
// panics if there is none, as httptest.NewServer does. The caller calls Close.
func NewServer(cfg Config) *Server {
	s, err := Start("", cfg)
	if err != nil {
		panic("chattest: " + err.Error())
	}
	return s
}

// Start starts a backend on a TCP address such as ":4000"; "" is a free port
// of the loopback interface. The error is that of net.Listen. The caller calls
// Close.
func Start(addr string, cfg Config) (*Server, error) {
	listener, err := net.Listen("tcp", cmp.Or(addr, "127.0.0.1:0"))
	if err != nil {
		return nil, err
	}
	return serve(listener, cfg), nil
}

// serve starts a backend on a listener.
func serve(listener net.Listener, cfg Config) *Server {
	if cfg.Answer == nil {
		cfg.Answer = Echo(0)
	}
	s := &Server{
		URL:   urlOf(listener.Addr().(*net.TCPAddr)),
		cfg:   cfg,
		names: map[events.Key]string{},
		keys:  map[string]events.Key{},
		turns: map[*turn]struct{}{},

		handlers: map[string]Handler{},
	}
	for key := range events.Keys() {
		name := cmp.Or(cfg.Names[key], key.DefaultName())
		s.names[key], s.keys[name] = name, key
	}
	s.ctx, s.stop = context.WithCancel(context.Background())

	s.io = sioserver.New(sioserver.Config{
		PingInterval:   cfg.PingInterval,
		PingTimeout:    cfg.PingTimeout,
		ConnectTimeout: cfg.ConnectTimeout,
		Transports:     cfg.Transports,
		Compress:       cfg.Compression,
		Recovery:       cfg.Recovery,
		Origins:        []string{"*"}, // a page under development may come from any port
	})
	for _, name := range append([]string{"/"}, cfg.Namespaces...) {
		s.namespaces = append(s.namespaces, s.io.Namespace(name, s.socketHandlers()))
	}
	var handler http.Handler = s.io
	if cfg.Middleware != nil {
		handler = cfg.Middleware(handler)
	}
	s.faults = newFaultListener(listener, cfg.Fault)
	s.http = &http.Server{
		Handler:  handler,
		ErrorLog: log.New(io.Discard, "", 0), // a client that breaks a connection is no error here
	}
	s.running.Go(func() { _ = s.http.Serve(s.faults) }) // ends with s.http.Close
	return s
}

func urlOf(addr *net.TCPAddr) string {
	host := addr.IP.String()
	if addr.IP.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, strconv.Itoa(addr.Port))
}

// Close ends every connection and every answer, and frees the port. It returns
// when all answers and handlers have returned, so they must not call it. It may
// be called any number of times.
func (s *Server) Close() {
	s.mu.Lock()
	s.stop() // under the lock: nothing that holds it adds to s.running afterwards
	s.mu.Unlock()
	_ = s.http.Close() // and the listener, which ends a freeze
	s.io.Close()
	s.running.Wait()
}

// CloseClientConnections breaks every connection, as a failing network does.
// Clients may reconnect. An Answer may call it.
func (s *Server) CloseClientConnections() { s.io.CloseClientConnections() }

// Freeze stops the server from reading and writing, as if its process were
// stopped. Connections stay open, and new ones are not answered, until
// Unfreeze.
func (s *Server) Freeze() { s.faults.freeze() }

// Unfreeze ends a Freeze.
func (s *Server) Unfreeze() { s.faults.thaw() }
