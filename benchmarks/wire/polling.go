package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
)

// sessions serves sessions over long-polling. A session ends when its client
// closes it.
type sessions struct {
	mu   sync.Mutex
	last int
	byID map[string]*pollingSession
}

type pollingSession struct {
	in, out chan []string // packets of a POST, and of a call of send
	gone    chan struct{}
	pending []string // of in; used by read only
}

const separator = "\x1e"

func (s *sessions) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=UTF-8")
	id := r.FormValue("sid")
	if id == "" {
		fmt.Fprintf(w, openPacket, s.open())
		return
	}
	s.mu.Lock()
	session := s.byID[id]
	s.mu.Unlock()
	switch {
	case session == nil:
		http.Error(w, `{"code":1,"message":"Session ID unknown"}`, http.StatusBadRequest)
	case r.Method == http.MethodGet:
		select {
		case packets := <-session.out:
			_, _ = io.WriteString(w, strings.Join(packets, separator))
		case <-session.gone:
			_, _ = io.WriteString(w, "6")
		case <-r.Context().Done():
		}
	default:
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		if bytes.Equal(body, []byte("1")) {
			s.remove(id)
		} else {
			select {
			case session.in <- strings.Split(string(body), separator):
			case <-session.gone:
			}
		}
		_, _ = io.WriteString(w, "ok")
	}
}

func (s *sessions) open() (id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last++
	id = fmt.Sprint("p", s.last)
	if s.byID == nil {
		s.byID = map[string]*pollingSession{}
	}
	session := &pollingSession{in: make(chan []string, 16), out: make(chan []string, 16), gone: make(chan struct{})}
	s.byID[id] = session
	go serveEvents(session) // ends when the client closes the session
	return id
}

func (s *sessions) remove(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if session := s.byID[id]; session != nil {
		close(session.gone)
		delete(s.byID, id)
	}
}

var errGone = errors.New("the client has closed the session")

func (s *pollingSession) read() ([]byte, error) {
	if len(s.pending) == 0 {
		select {
		case s.pending = <-s.in:
		case <-s.gone:
			return nil, errGone
		}
	}
	packet := s.pending[0]
	s.pending = s.pending[1:]
	return []byte(packet), nil
}

func (s *pollingSession) more() bool { return len(s.pending) > 0 }

func (s *pollingSession) send(packets ...string) error {
	select {
	case s.out <- append([]string(nil), packets...):
		return nil
	case <-s.gone:
		return errGone
	}
}
