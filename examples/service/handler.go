package main

import (
	"fmt"
	"io"
	"net/http"
	"sync/atomic"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/events"
)

// maxQuestion is how long a question may be, in bytes.
const maxQuestion = 64 << 10

// A handler answers HTTP requests through one client.
type handler struct {
	client    *chat.Client
	answering atomic.Int64 // requests
}

func (h *handler) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /ask", h.ask)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "alive") })
	mux.HandleFunc("GET /readyz", h.ready)
	return mux
}

// ready is a readiness probe: while the connection is not up, requests had better go to another instance.
func (h *handler) ready(w http.ResponseWriter, _ *http.Request) {
	if err := h.client.Health(); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ready")
}

// ask streams the answer to the question in the body. One that has begun and fails breaks the connection, so that it
// does not pass for whole.
func (h *handler) ask(w http.ResponseWriter, r *http.Request) {
	h.answering.Add(1)
	defer h.answering.Add(-1)
	question, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxQuestion))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	// While the client reconnects, Ask waits; it ends with the visitor.
	stream, err := h.client.Ask(r.Context(), chat.Question{UserID: events.StringID("visitor"), Text: string(question)})
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	begun := false
	for text, err := range stream.Text() {
		switch {
		case err != nil && begun:
			panic(http.ErrAbortHandler) // net/http's way to break a connection
		case err != nil:
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		begun = true
		if _, err := io.WriteString(w, text); err != nil {
			return // the visitor is gone
		}
		_ = http.NewResponseController(w).Flush() // fails as the next write does
	}
}
