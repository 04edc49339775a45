package chatdebug

import (
	"cmp"
	_ "embed"
	"encoding/json"
	"html/template"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/conn"
)

// maxHistory is the number of changes of state that a Page keeps of a client.
const maxHistory = 20

// A Page is an observer of clients and an [http.Handler] that shows them. A
// client is on the page from New to its Close or Shutdown. The zero Page is
// ready to use. It is safe for concurrent use and must not be copied.
type Page struct {
	mu      sync.Mutex // no other lock is taken while it is held
	clients map[*conn.Conn]*entry
	last    int // the number of the last client
}

// entry is a client of the page.
type entry struct {
	client  *chat.Client
	number  int
	history []change // the newest first
}

// OnNew implements [chat.NewObserver].
func (p *Page) OnNew(c *chat.Client) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.clients == nil {
		p.clients = map[*conn.Conn]*entry{}
	}
	p.last++
	p.clients[c.Conn()] = &entry{client: c, number: p.last}
}

// OnClose implements [chat.CloseObserver].
func (p *Page) OnClose(c *chat.Client) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.clients, c.Conn())
}

// OnState implements [conn.StateObserver].
func (p *Page) OnState(c *conn.Conn, s conn.State) {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	e := p.clients[c]
	if e == nil {
		return
	}
	e.history = slices.Insert(e.history, 0, newChange(now, s))
	e.history = e.history[:min(len(e.history), maxHistory)]
}

// snapshot describes all clients, in the order of their creation.
func (p *Page) snapshot() snapshot {
	p.mu.Lock()
	entries := make([]entry, 0, len(p.clients))
	for _, e := range p.clients {
		copied := *e
		copied.history = slices.Clone(e.history)
		entries = append(entries, copied)
	}
	p.mu.Unlock()
	slices.SortFunc(entries, func(a, b entry) int { return cmp.Compare(a.number, b.number) })
	now := time.Now()
	s := snapshot{Time: now, Clients: []client{}}
	for _, e := range entries {
		s.Clients = append(s.Clients, describe(e, now))
	}
	return s
}

//go:embed page.html
var html string

var page = template.Must(template.New("page").Funcs(template.FuncMap{"short": short}).Parse(html))

// short returns the end of a path: the file, and two folders of it.
func short(file string) string {
	parts := strings.Split(file, "/")
	return strings.Join(parts[max(len(parts)-3, 0):], "/")
}

// ServeHTTP serves the page, as JSON if the query has format=json.
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	header := w.Header()
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	s := p.snapshot()
	if r.URL.Query().Get("format") == "json" {
		header.Set("Content-Type", "application/json")
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", "  ")
		_ = encoder.Encode(s) // fails if the client has gone
		return
	}
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
	_ = page.Execute(w, s) // as above
}
