package mockserver

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"flag"
	"maps"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/events"
)

// Config configures a Server.
type Config struct {
	Addr     string
	Token    string
	Recovery time.Duration
	Names    Names
	Faults   Faults
	Modes    Modes
}

// Defaults returns the Config of the programs that serve the mock backend.
func Defaults() Config {
	return Config{
		Addr:     ":4000",
		Recovery: 2 * time.Minute,
		Faults:   Faults{Pace: Duration(40 * time.Millisecond)},
	}
}

// Flags adds a flag for each field.
func (c *Config) Flags(set *flag.FlagSet) {
	set.StringVar(&c.Addr, "addr", c.Addr, "the TCP `address` to serve on")
	set.StringVar(&c.Token, "token", c.Token, "the `token` that a client's auth must have; default: any")
	set.DurationVar(&c.Recovery, "recovery", c.Recovery, "the `duration` for which a lost session can be recovered; 0: no recovery")
	set.Var(&c.Names, "names", "other event names, as `KEY=name,…`")
	c.Faults.Flags(set)
	c.Modes.Flags(set)
}

// A Server is a chattest.Server with an AI and faults, across its restarts.
type Server struct {
	cfg     Config
	restart chan time.Duration // how long to stay down

	mu      sync.Mutex
	server  *chattest.Server // the current one
	addr    string           // where it listens
	now     Faults
	changed chan struct{} // closed and replaced at each change of now
	names   Names         // complete
}

// Start starts the backend. The caller calls Run.
func Start(cfg Config) (*Server, error) {
	if err := cfg.Faults.validate(); err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, restart: make(chan time.Duration, 1), changed: make(chan struct{}), addr: cfg.Addr, now: cfg.Faults, names: cfg.Names.complete()}
	return s, s.listen()
}

// Run serves until ctx ends, and restarts the server as its faults require.
func (s *Server) Run(ctx context.Context) error {
	defer func() { s.current().Close() }()
	for {
		faults, changed := s.settings()
		var due <-chan time.Time // nil (never) unless the fault is set
		if every := time.Duration(faults.Restart); every > 0 {
			due = time.After(every)
		}
		var down time.Duration
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
			continue
		case down = <-s.restart:
		case <-due:
		}
		s.current().Close()
		if pause(ctx, Duration(down)) != nil {
			return nil
		}
		if err := s.listen(); err != nil {
			return err
		}
	}
}

// listen starts a server. After a restart it uses the same port.
func (s *Server) listen() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	server, err := chattest.Start(s.addr, chattest.Config{
		Answer:     s.answer,
		Auth:       s.admit,
		Names:      s.names,
		Recovery:   s.cfg.Recovery,
		Middleware: s.handler,

		Admit:          s.greet,
		OmitRequestIDs: s.cfg.Modes.NoRequestIDs,
		MessageID:      s.messageID(),
	})
	if err != nil {
		return err
	}
	if host, port, _ := net.SplitHostPort(s.addr); port == "0" {
		s.addr = net.JoinHostPort(host, server.URL[strings.LastIndexByte(server.URL, ':')+1:])
	}
	s.server = server
	s.install(server, nil, s.names)
	return nil
}

// admit accepts or refuses a client.
func (s *Server) admit(auth map[string]any) error {
	token, _ := auth["token"].(string)
	switch {
	case s.faults().Refuse:
		return errors.New("refused: the fault is switched on")
	case s.cfg.Token != "" && subtle.ConstantTimeCompare([]byte(token), []byte(s.cfg.Token)) == 0:
		return errors.New("the token is not the right one")
	}
	return nil
}

// rename renames events from now on and sends the names to all clients.
func (s *Server) rename(changes Names) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := s.names.complete()
	maps.Copy(next, changes)
	if err := next.validate(); err != nil {
		return err
	}
	s.install(s.server, s.names, next)
	s.names = next
	s.server.SetNames(changes)
	return nil
}

// install sets the handlers of all events by their current names, and removes
// the handlers of the earlier names.
func (s *Server) install(server *chattest.Server, before, now Names) {
	for _, name := range before {
		server.Handle(name, nil)
	}
	for key, name := range now {
		switch key {
		case events.KeyUserTypingStart, events.KeyUserTypingStop, events.KeyChatRead:
			server.Handle(name, s.forward)
		case events.KeyAIAbort:
			if s.cfg.Modes.NoStop {
				server.Handle(name, ignore)
				continue
			}
			server.Handle(name, s.late)
		default:
			server.Handle(name, s.late)
		}
	}
}

// messageID returns how broadcast messages get their ids; nil keeps those of
// their senders.
func (s *Server) messageID() func(events.UserMessage) string {
	if !s.cfg.Modes.OwnMessageIDs {
		return nil
	}
	return func(events.UserMessage) string { return rand.Text() }
}

// late is the first step of every event.
func (s *Server) late(ctx context.Context, _ chattest.Received) (any, error) {
	return nil, pause(ctx, s.faults().Latency)
}

// forward sends an event unchanged to the others in its sender's room.
func (s *Server) forward(ctx context.Context, r chattest.Received) (any, error) {
	if err := pause(ctx, s.faults().Latency); err != nil {
		return nil, err
	}
	var to struct {
		ChatID events.ID `json:"chatId"`
		UserID events.ID `json:"userId"`
	}
	if err := r.Decode(&to); err != nil || to.UserID.IsZero() {
		return nil, err // the server reports a missing member
	}
	for _, k := range s.others(r.Socket, to.ChatID) {
		_ = k.Emit(ctx, r.Name, r.Args[0]) // a client that is gone misses it
	}
	return nil, nil
}

// others returns the clients that share a room with k.
func (s *Server) others(k *chattest.Socket, chatID events.ID) []*chattest.Socket {
	var others []*chattest.Socket
	member := false
	for _, other := range s.current().Room(chatID) {
		if other == k {
			member = true
		} else {
			others = append(others, other)
		}
	}
	if !member {
		return nil
	}
	return others
}

// URL returns the address of the backend.
func (s *Server) URL() string { return s.current().URL }

func (s *Server) current() *chattest.Server {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.server
}

func (s *Server) faults() Faults {
	faults, _ := s.settings()
	return faults
}

// settings returns the faults, and a channel that is closed when they change.
func (s *Server) settings() (now Faults, changed <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now, s.changed
}

func (s *Server) name(key events.Key) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.names[key]
}

// pause waits for d, or until ctx ends.
func pause(ctx context.Context, d Duration) error {
	if d <= 0 {
		return nil
	}
	select {
	case <-time.After(time.Duration(d)):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
