package main

import (
	_ "embed"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/chat/chatdebug"
	"github.com/seed67206a74/parley/events"
)

// maxQuestion limits the length of a question, in bytes.
const maxQuestion = 64 << 10

// page asks a question and shows the answer.
//
//go:embed index.html
var page string

// A handler answers HTTP requests through one client.
type handler struct {
	client    *chat.Client
	page      chatdebug.Page // an observer of client
	answering atomic.Int64   // open requests to /ask
}

func (h *handler) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, page) })
	mux.HandleFunc("POST /ask", h.ask)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "alive") })
	mux.HandleFunc("GET /readyz", h.ready)
	mux.Handle("GET /debug/chat", &h.page)
	return mux
}

// ready is a readiness probe. It fails while the client is not connected, so
// that a load balancer sends requests to another instance.
func (h *handler) ready(w http.ResponseWriter, _ *http.Request) {
	if err := h.client.Health(); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ready")
}

// ask streams the answer to the question in the body. If an answer fails after
// its first token, ask breaks the connection, so that it does not look
// complete.
func (h *handler) ask(w http.ResponseWriter, r *http.Request) {
	h.answering.Add(1)
	defer h.answering.Add(-1)
	question, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxQuestion))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	// Ask waits while the client reconnects. It ends when the visitor leaves.
	stream, err := h.client.Ask(r.Context(), chat.Question{UserID: events.StringID("visitor"), Text: string(question)})
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	begun := false
	for text, err := range stream.Text() {
		switch {
		case err != nil && begun:
			panic(http.ErrAbortHandler) // breaks the connection
		case err != nil:
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		begun = true
		if _, err := io.WriteString(w, text); err != nil {
			return // the visitor has left
		}
		_ = http.NewResponseController(w).Flush() // the next write reports the error
	}
}
