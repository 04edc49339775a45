package chattest

import (
	"encoding/json"

	"github.com/seed67206a74/parley/events"
)

// SetNames renames events from now on, both sent and received ones. Keys that
// are not in the map keep their name. Every client gets all names in a
// meta:events:response: after all events under the old names, and before any
// under the new ones. A [Handler] keeps the name that it was set for.
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
	for _, k := range s.Sockets() {
		_ = k.io.Emit(nameDiscoveryResponse, names)
	}
}

// encodedNames returns the payload of discovery; s.mu is held.
func (s *Server) encodedNames() json.RawMessage {
	names, _ := json.Marshal(s.names) // strings can always be encoded
	return names
}

// nameOf returns the current name of an event.
func (s *Server) nameOf(key events.Key) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.names[key]
}
