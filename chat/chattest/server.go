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
	"time"

	"github.com/seed67206a74/parley/events"
	"github.com/zishang520/socket.io/servers/socket/v3"
	"github.com/zishang520/socket.io/v3/pkg/types"
)

// Config says how a Server behaves. With its zero value, everybody is let in
// and every message is echoed under the default names.
type Config struct {
	// Answer replies to each user message. Default: Echo(0).
	Answer Answer

	// Auth is asked about each client that connects. It gets the object that
	// the client's CONNECT packet carries, its numbers as json.Number; nil if
	// there is none. An error refuses the client, with the error's text as the
	// message; a *conn.RefusedError refuses with its Message and Data.
	// Auth may be called for several clients at once, and is not asked again about
	// one that comes back to its session.
	// Default: everybody is let in.
	Auth func(auth map[string]any) error

	// Names renames events, both those that are sent and those that are heard.
	// They are also what a client is told that asks for discovery.
	// Default: each key's DefaultName.
	Names map[events.Key]string

	// Recovery is how long a client whose connection was cut may take to come back to its
	// session, as Socket.IO's connection state recovery has it: with the id and the rooms
	// that it had, and with everything that it has missed. The answer to its
	// question goes on meanwhile. A client that says goodbye or is kicked has no session to come back to.
	// Default: none, a client that comes back is a new one.
	Recovery time.Duration

	// Middleware puts a handler of the test before the backend: to refuse requests with an HTTP
	// status, for example, or to look at them. Default: there is none.
	Middleware func(http.Handler) http.Handler

	// OmitRequestIDs sends everything without requestId, as some backends do.
	// Default: what belongs to a question carries the question's requestId.
	OmitRequestIDs bool
}

// A Server is a chat backend on a port of its own. Its methods are safe for
// concurrent use.
type Server struct {
	// URL is where the backend answers, without a path: "http://127.0.0.1:34567".
	URL string

	cfg     Config
	memory  *memory // nil on a port
	http    *http.Server
	io      *socket.Server
	engine  http.Handler
	keeper  *sessionKeeper
	running sync.WaitGroup // the accepting goroutine, requests and answers

	ctx  context.Context // of everything that Close ends
	stop context.CancelFunc

	// A handshake holds cutting for reading: a session that is cut while the
	// library is still setting it up keeps a timer for up to 45 seconds.
	cutting sync.RWMutex

	mu       sync.Mutex            // held for each step: one event received, or one sent
	names    map[events.Key]string // complete
	keys     map[string]events.Key // the other way round
	sockets  []*Socket             // that may be let in, are in, or may come back
	rooms    map[events.ID][]*Socket
	turns    map[*turn]struct{}
	handlers map[string]Handler
	record   record
}

// NewServer starts a backend on a free port of the loopback interface. It
// panics if there is none to be had, as httptest.NewServer does. The caller
// calls Close when done with it.
func NewServer(cfg Config) *Server {
	s, err := Start("", cfg)
	if err != nil {
		panic("chattest: " + err.Error())
	}
	return s
}

// Start starts a backend on a TCP address such as ":4000"; "" is a free port
// of the loopback interface. The error is that of net.Listen. The caller calls
// Close when done with it.
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
		rooms: map[events.ID][]*Socket{},
		turns: map[*turn]struct{}{},

		handlers: map[string]Handler{},
	}
	for key := range events.Keys() {
		name := cmp.Or(cfg.Names[key], key.DefaultName())
		s.names[key], s.keys[name] = name, key
	}
	s.ctx, s.stop = context.WithCancel(context.Background())

	options := socket.DefaultServerOptions()
	options.SetServeClient(false)
	options.SetParser(rawParser{})
	options.SetCors(&types.Cors{Origin: "*"}) // a page under development may come from any port
	s.keeper = &sessionKeeper{server: s, known: map[socket.PrivateSessionId]*Socket{}}
	if cfg.Recovery > 0 {
		recovery := socket.DefaultConnectionStateRecovery()
		recovery.SetSkipMiddlewares(true)
		options.SetConnectionStateRecovery(recovery)
		options.SetAdapter(s.keeper)
	}
	s.io = socket.NewServer(nil, options)
	s.io.Use(s.admit)
	_ = s.io.On("connection", s.connected)
	s.engine = s.io.ServeHandler(nil)

	var handler http.Handler = http.HandlerFunc(s.serve)
	if cfg.Middleware != nil {
		handler = cfg.Middleware(handler)
	}
	s.http = &http.Server{
		Handler:  handler,
		ErrorLog: log.New(io.Discard, "", 0), // the library writes to connections that Close has cut
	}
	s.running.Go(func() { _ = s.http.Serve(listener) }) // ends with s.http.Close
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
// when all answers have: one that does not heed its context holds it up, and
// none may call it. Other than that, Close may be called any number of times,
// from anywhere.
func (s *Server) Close() {
	s.mu.Lock()
	s.stop() // under the lock: whoever holds it and sees s.ctx alive may still add to s.running
	s.mu.Unlock()
	_ = s.http.Close()
	s.running.Wait() // no request is left that could bring a new client
	s.io.Close(nil)
}

// CloseClientConnections cuts every connection, as a failing network would. The
// clients may come back. An Answer may call it.
func (s *Server) CloseClientConnections() {
	s.cutting.Lock()
	defer s.cutting.Unlock()
	s.io.Engine().Close()
}

// serve hands a request to the library, see gate.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	if s.ctx.Err() != nil {
		s.mu.Unlock()
		http.Error(w, "closed", http.StatusServiceUnavailable)
		return
	}
	s.running.Add(1)
	s.mu.Unlock()
	defer s.running.Done()

	if r.Header.Get("Upgrade") != "" || !r.URL.Query().Has("sid") { // else it is a poll, which may take long
		s.cutting.RLock()
		defer s.cutting.RUnlock()
	}
	open := make(chan struct{})
	defer close(open)
	s.engine.ServeHTTP(gate{w, open}, r)
}
