package chattest

import (
	"encoding/json"

	"github.com/seed67206a74/parley/events"
)

// SetNames renames events from now on, both those that are sent and those that are heard. Keys
// that are not in the map keep their name. Every client is told all names in a
// meta:events:response that it has not asked for, behind what was sent under the
// old names and before anything under the new ones. A [Handler] stays with the name it was set for.
func (s *Server) SetNames(changes map[events.Key]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, name := range changes {
		s.names[key] = name
	}
	clear(s.keys)
	for key, name := range s.names {
		s.keys[name] = key
	}
	names := s.encodedNames()
	for _, k := range s.sockets {
		if k.ctx != nil { // it is in
			_ = k.emit(nameDiscoveryResponse, names)
		}
	}
}

// encodedNames is what discovery tells; s.mu is held.
func (s *Server) encodedNames() json.RawMessage {
	names, _ := json.Marshal(s.names) // strings: it cannot fail
	return names
}

// nameOf is what an event is called now.
func (s *Server) nameOf(key events.Key) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.names[key]
}
