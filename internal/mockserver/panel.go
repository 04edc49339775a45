package mockserver

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/seed67206a74/parley/chat/chattest"
)

//go:embed panel.html
var panelPage []byte

// maxBody is the longest body of a request.
const maxBody = 64 << 10

// handler serves the panel. It applies the faults to all other requests and
// passes them to the backend.
func (s *Server) handler(backend http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/faults", http.StatusFound) })
	mux.HandleFunc("GET /faults", s.showPanel)
	mux.HandleFunc("GET /faults/state", s.showState)
	mux.HandleFunc("PATCH /faults/settings", s.changeSettings)
	mux.HandleFunc("PATCH /faults/names", s.changeNames)
	mux.HandleFunc("POST /faults/cut", s.forEach((*chattest.Socket).CloseNow))
	mux.HandleFunc("POST /faults/kick", s.forEach((*chattest.Socket).Disconnect))
	mux.HandleFunc("POST /faults/restart", s.askForRestart)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		faults := s.faults()
		switch {
		case pause(r.Context(), faults.Latency) != nil:
		case faults.Unavailable:
			http.Error(w, "unavailable: the fault is switched on", http.StatusServiceUnavailable)
		default:
			backend.ServeHTTP(w, r)
		}
	})
	// Pages of other origins must not change the faults.
	panel := http.NewCrossOriginProtection().Handler(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/faults") {
			panel.ServeHTTP(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func (s *Server) showPanel(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'")
	_, _ = w.Write(panelPage)
}

// A state is the content of the panel.
type state struct {
	Faults  Faults        `json:"faults"`
	Clients []clientState `json:"clients"`
	Names   Names         `json:"names"`
}

type clientState struct {
	ID     string `json:"id"`
	UserID string `json:"userId"`
}

func (s *Server) showState(w http.ResponseWriter, _ *http.Request) {
	now := state{Clients: []clientState{}}
	for _, k := range s.current().Sockets() {
		now.Clients = append(now.Clients, clientState{k.ID, k.UserID().String()})
	}
	s.mu.Lock()
	now.Faults, now.Names = s.now, s.names.complete()
	s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(now)
}

func (s *Server) changeSettings(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err == nil {
		err = s.set(body)
	}
	s.reply(w, r, err)
}

// set changes the faults that the JSON names.
func (s *Server) set(changes []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := s.now
	if err := decode(bytes.NewReader(changes), &next); err != nil {
		return err
	}
	if err := next.validate(); err != nil {
		return err
	}
	s.now = next
	close(s.changed)
	s.changed = make(chan struct{})
	return nil
}

func (s *Server) changeNames(w http.ResponseWriter, r *http.Request) {
	var changes Names
	err := decode(http.MaxBytesReader(w, r.Body, maxBody), &changes)
	if err == nil {
		err = s.rename(changes)
	}
	s.reply(w, r, err)
}

// forEach calls do for the client whose id is in the body, or for all clients.
func (s *Server) forEach(do func(*chattest.Socket)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var body struct {
			ID string `json:"id"`
		}
		if err := decode(http.MaxBytesReader(w, r.Body, maxBody), &body); err != nil {
			s.reply(w, r, err)
			return
		}
		sockets := s.current().Sockets()
		if body.ID != "" {
			sockets = slices.DeleteFunc(sockets, func(k *chattest.Socket) bool { return k.ID != body.ID })
		}
		for _, k := range sockets {
			do(k)
		}
		s.reply(w, r, nil)
	}
}

// askForRestart sends its response before the restart, which ends this
// request's connection too.
func (s *Server) askForRestart(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Down Duration `json:"down"`
	}
	if err := decode(http.MaxBytesReader(w, r.Body, maxBody), &body); err != nil {
		s.reply(w, r, err)
		return
	}
	w.Header().Set("Connection", "close")
	w.Header().Set("Content-Length", "0") // complete before the restart breaks the connection
	w.WriteHeader(http.StatusAccepted)
	_ = http.NewResponseController(w).Flush()
	select {
	case s.restart <- time.Duration(body.Down):
	default: // a restart is already requested
	}
}

// reply sends the state after a change, or the error.
func (s *Server) reply(w http.ResponseWriter, r *http.Request, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.showState(w, r)
}

// decode reads a body of JSON; an empty one changes nothing.
func decode(body io.Reader, into any) error {
	from := json.NewDecoder(body)
	from.DisallowUnknownFields()
	if err := from.Decode(into); err != nil && err != io.EOF {
		return fmt.Errorf("invalid body: %w", err)
	}
	return nil
}
