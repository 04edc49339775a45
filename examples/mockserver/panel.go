package main

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

// maxBody is how much of a request's body is read.
const maxBody = 64 << 10

// handler puts the panel, and the faults that concern requests, before the backend.
func (b *backend) handler(backend http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/faults", http.StatusFound) })
	mux.HandleFunc("GET /faults", b.showPanel)
	mux.HandleFunc("GET /faults/state", b.showState)
	mux.HandleFunc("PATCH /faults/settings", b.changeSettings)
	mux.HandleFunc("PATCH /faults/names", b.changeNames)
	mux.HandleFunc("POST /faults/cut", b.forEach((*chattest.Socket).CloseNow))
	mux.HandleFunc("POST /faults/kick", b.forEach((*chattest.Socket).Disconnect))
	mux.HandleFunc("POST /faults/restart", b.askForRestart)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		faults := b.faults()
		switch {
		case pause(r.Context(), faults.Latency) != nil:
		case faults.Unavailable:
			http.Error(w, "unavailable: the fault is switched on", http.StatusServiceUnavailable)
		default:
			backend.ServeHTTP(w, r)
		}
	})
	panel := http.NewCrossOriginProtection().Handler(mux) // reject requests of other origins' pages
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/faults") {
			panel.ServeHTTP(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func (b *backend) showPanel(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'")
	_, _ = w.Write(panelPage)
}

// A state is the state of the backend, as the panel shows it.
type state struct {
	Faults  Faults        `json:"faults"`
	Clients []clientState `json:"clients"`
	Names   names         `json:"names"`
}

type clientState struct {
	ID     string `json:"id"`
	UserID string `json:"userId"`
}

func (b *backend) showState(w http.ResponseWriter, _ *http.Request) {
	now := state{Clients: []clientState{}}
	for _, k := range b.current().Sockets() {
		now.Clients = append(now.Clients, clientState{k.ID, k.UserID().String()})
	}
	b.mu.Lock()
	now.Faults, now.Names = b.now, b.names.complete()
	b.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(now)
}

func (b *backend) changeSettings(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err == nil {
		err = b.set(body)
	}
	b.reply(w, r, err)
}

// set changes the faults that are named in some JSON.
func (b *backend) set(changes []byte) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	next := b.now
	if err := decode(bytes.NewReader(changes), &next); err != nil {
		return err
	}
	if err := next.validate(); err != nil {
		return err
	}
	b.now = next
	select {
	case b.changed <- struct{}{}:
	default: // run will look anyway
	}
	return nil
}

func (b *backend) changeNames(w http.ResponseWriter, r *http.Request) {
	var changes names
	err := decode(http.MaxBytesReader(w, r.Body, maxBody), &changes)
	if err == nil {
		err = b.rename(changes)
	}
	b.reply(w, r, err)
}

// forEach does something to the client that the body names by its id, or to all.
func (b *backend) forEach(do func(*chattest.Socket)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var body struct {
			ID string `json:"id"`
		}
		if err := decode(http.MaxBytesReader(w, r.Body, maxBody), &body); err != nil {
			b.reply(w, r, err)
			return
		}
		sockets := b.current().Sockets()
		if body.ID != "" {
			sockets = slices.DeleteFunc(sockets, func(k *chattest.Socket) bool { return k.ID != body.ID })
		}
		for _, k := range sockets {
			do(k)
		}
		b.reply(w, r, nil)
	}
}

// askForRestart sends the response before the restart, which closes this request's connection as well.
func (b *backend) askForRestart(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Down Duration `json:"down"`
	}
	if err := decode(http.MaxBytesReader(w, r.Body, maxBody), &body); err != nil {
		b.reply(w, r, err)
		return
	}
	w.Header().Set("Connection", "close")
	w.Header().Set("Content-Length", "0") // the response is complete before the server closes
	w.WriteHeader(http.StatusAccepted)
	_ = http.NewResponseController(w).Flush()
	select {
	case b.restart <- time.Duration(body.Down):
	default: // one is on its way
	}
}

// reply writes the state after a change, or the error.
func (b *backend) reply(w http.ResponseWriter, r *http.Request, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	b.showState(w, r)
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
