package main

import (
	"embed"
	"io/fs"
	"net/http"
	"sync"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/chat/chatdebug"
	"github.com/seed67206a74/parley/events"
)

//go:embed page
var page embed.FS

// A playground is the web service. It has one session for each open tab.
type playground struct {
	backend string
	token   string
	http    *http.Client // to the backend's fault panel
	debug   chatdebug.Page

	mu       sync.Mutex
	sessions map[string]*session
}

// newPlayground returns an error if the backend's URL is invalid.
func newPlayground(backend, token string) (*playground, error) {
	probe, err := chat.New(backend, chat.Config{ChatID: events.StringID("none")})
	if err != nil {
		return nil, err
	}
	probe.Close()
	return &playground{backend: backend, token: token, http: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}, sessions: map[string]*session{}}, nil
}

// contentPolicy allows the page to load from its own origin only.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// handler serves the page, the stream and a route for each command.
func (p *playground) handler() http.Handler {
	files, err := fs.Sub(page, "page")
	if err != nil {
		panic(err) // it is embedded
	}
	mux := http.NewServeMux()
	mux.Handle("GET /", http.FileServerFS(files))
	mux.HandleFunc("GET /stream", p.stream)
	mux.Handle("GET /debug/chat", &p.debug)
	mux.HandleFunc("POST /sessions/{id}/ask", command(p, (*session).ask))
	mux.HandleFunc("POST /sessions/{id}/abort", command(p, (*session).abort))
	mux.HandleFunc("POST /sessions/{id}/typing", command(p, (*session).typing))
	mux.HandleFunc("POST /sessions/{id}/read", command(p, (*session).read))
	mux.HandleFunc("POST /sessions/{id}/names", command(p, (*session).rename))
	mux.HandleFunc("POST /sessions/{id}/reader", command(p, (*session).setReader))
	mux.HandleFunc("POST /sessions/{id}/cut", command(p, (*session).cut))
	mux.HandleFunc("POST /sessions/{id}/kick", command(p, (*session).kick))
	mux.HandleFunc("POST /sessions/{id}/connect", command(p, (*session).reconnect))
	// A page of another origin cannot send commands.
	guarded := http.NewCrossOriginProtection().Handler(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", contentPolicy)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Referrer-Policy", "no-referrer")
		w.Header().Set("Cache-Control", "no-cache")
		guarded.ServeHTTP(w, r)
	})
}

// session returns the session with that id, or nil.
func (p *playground) session(id string) *session {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sessions[id]
}

// add registers a session by its id until remove is called.
func (p *playground) add(s *session) (remove func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sessions[s.id] = s
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.sessions, s.id)
	}
}
