package chattest

import (
	"bytes"
	"encoding/json"
	"errors"

	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/sioserver"
)

// socketHandlers returns the handlers of a namespace. Those of one client run
// one after the other.
func (s *Server) socketHandlers() sioserver.Handlers {
	return sioserver.Handlers{
		Admit: s.admit,
		Connect: func(socket *sioserver.Socket) {
			k := socket.Data.(*Socket)
			if socket.Recovered() {
				s.mu.Lock()
				s.sendPresenceOf(k)
				s.mu.Unlock()
			}
			if s.cfg.OnConnect != nil {
				s.cfg.OnConnect(k)
			}
		},
		Event: s.receive,
		Disconnect: func(socket *sioserver.Socket, _ sioserver.Reason) {
			if socket.Context().Err() == nil { // else End follows at once
				s.mu.Lock()
				defer s.mu.Unlock()
				s.sendPresenceOf(socket.Data.(*Socket))
			}
		},
		End: func(socket *sioserver.Socket) {
			s.mu.Lock()
			defer s.mu.Unlock()
			for _, room := range socket.Rooms() {
				s.leaveRoom(socket.Data.(*Socket), room)
			}
		},
	}
}

// admit decides about a client that connects.
func (s *Server) admit(socket *sioserver.Socket) error {
	k := &Socket{
		ID:        socket.ID,
		Namespace: socket.Namespace().Name,
		Query:     socket.Request.URL.Query(),
		Header:    socket.Request.Header.Clone(),
		server:    s,
		io:        socket,
	}
	if socket.Auth != nil {
		d := json.NewDecoder(bytes.NewReader(socket.Auth))
		d.UseNumber()
		_ = d.Decode(&k.Auth) // it is a JSON object
	}
	k.userID = idOf(k.Auth["userId"])
	socket.Data = k
	if s.cfg.Auth != nil {
		if err := s.cfg.Auth(k.Auth); err != nil {
			return refusal(err)
		}
	}
	if s.cfg.Admit != nil {
		if err := s.cfg.Admit(k); err != nil {
			return refusal(err)
		}
	}
	return nil
}

func refusal(err error) error {
	if refused, ok := errors.AsType[*conn.RefusedError](err); ok {
		why := &sioserver.ConnectError{Message: refused.Message}
		if len(refused.Data) > 0 {
			why.Data = refused.Data
		}
		return why
	}
	return err
}

// idOf returns v as an ID, or none if it is no ID.
func idOf(v any) (id events.ID) {
	if raw, err := json.Marshal(v); err == nil {
		_ = json.Unmarshal(raw, &id)
	}
	return id
}

// Sockets returns the connected clients in the order in which they connected,
// by namespace.
func (s *Server) Sockets() []*Socket {
	var all []*Socket
	for _, n := range s.namespaces {
		for _, socket := range n.Sockets() {
			all = append(all, socket.Data.(*Socket))
		}
	}
	return all
}
