package main

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
)

// A session is one tab: one user with a client. close ends everything that the
// session started.
type session struct {
	id      string
	user    events.ID
	room    events.ID
	client  *chat.Client
	network *network
	tap     *tap
	panel   panel

	ctx   context.Context // of everything that the tab starts
	end   context.CancelFunc
	tasks sync.WaitGroup // Run, the questions in flight, the slow reader

	sent     bus.Topic[sent]    // for the log
	outcomes bus.Topic[outcome] // how questions have ended

	mu        sync.Mutex
	questions map[string]context.CancelFunc // in flight, by request id
	running   bool
	reader    *reader // nil when there is no slow reader
}

// sent is an event that the tab has sent, for the log.
type sent struct {
	Name    string `json:"name"`
	Payload any    `json:"payload"`
}

// An outcome is the end of a question.
type outcome struct {
	RequestID string   `json:"requestId"`
	Error     *failure `json:"error,omitempty"` // nil if the answer is complete
	Aborted   bool     `json:"aborted,omitempty"`
}

// A failure has the fields of an AI_ERROR event that the page shows.
type failure struct {
	Message string `json:"message"`
	Code    string `json:"code,omitempty"`
}

// openSession returns a session that is not connected yet. The caller must call
// close.
func (p *playground) openSession(ctx context.Context, user, room string) (*session, error) {
	s := &session{
		id:        rand.Text(),
		user:      events.StringID(user),
		room:      events.StringID(room),
		network:   &network{},
		tap:       &tap{dialer: conn.DefaultDialer},
		panel:     panel{p.backend, p.http},
		questions: map[string]context.CancelFunc{},
	}
	var err error
	s.client, err = chat.New(p.backend, chat.Config{
		ChatID:    s.room,
		Observers: []any{&p.debug},
		// The panel renames events while tabs are open.
		Discovery: chat.Discovery{Enabled: true, AcceptPushed: true},
		Conn: conn.Config{
			Dialer: s.tap,
			HTTP:   &http.Transport{DialContext: s.network.dial, Proxy: http.ProxyFromEnvironment},
			Logger: slog.New(slog.DiscardHandler), // the page shows the events
			Auth: func(context.Context) (any, error) {
				return map[string]any{"userId": user, "token": p.token, "tools": []string{"clock"}}, nil
			},
		},
	})
	if err != nil {
		return nil, err
	}
	s.ctx, s.end = context.WithCancel(ctx)
	chat.HandleTool(s.client, "clock", clock)
	return s, nil
}

// clock is a tool that the backend may call.
func clock(_ context.Context, args struct{ Zone string }) (map[string]string, error) {
	zone, err := time.LoadLocation(args.Zone)
	if err != nil {
		return nil, err
	}
	return map[string]string{"time": time.Now().In(zone).Format(time.RFC1123)}, nil
}

// connect runs the client unless it is running.
func (s *session) connect() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running {
		return
	}
	s.running = true
	s.tasks.Go(func() { // ends with s.ctx, or when the server disconnects the client
		_ = s.client.Run(s.ctx) // States reports the error
		s.mu.Lock()
		defer s.mu.Unlock()
		s.running = false
	})
}

// close ends the session. It returns when all its goroutines have ended.
func (s *session) close() {
	s.end()
	s.client.Close()
	s.tasks.Wait()
	s.network.close()
}
