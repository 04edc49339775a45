package main

import (
	"context"
	"maps"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
)

// names are event names by key.
type names map[events.Key]string

func defaultNames() names {
	all := names{}
	for key := range events.Keys() {
		all[key] = key.DefaultName()
	}
	return all
}

// setNames changes the names of events sent and received from now on.
func (s *session) setNames(changes names) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.client.SetNames(changes); err != nil {
		return err
	}
	next := maps.Clone(s.names)
	maps.Copy(next, changes)
	s.names = next
	s.renamed.Publish(next)
	return nil
}

// name returns the name in force for a key.
func (s *session) name(key events.Key) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.names[key]
}

// followNames applies the names that the backend sends, in reply to discovery or after a rename.
//
// A channel would be one step too late: the next event may come under a new name before its reader has called SetNames. A
// A Listener is called by the connection's own reader, so the names are in force before the next event is looked at.
func (s *session) followNames() {
	s.renamed.Publish(s.names)
	s.client.Conn().UpdateRoutes(nil, []conn.Route{{Name: chat.DefaultDiscoveryResponse, Listener: &follower{s}}})
}

type follower struct{ session *session }

// Active is conn.Listener.
func (f *follower) Active() bool { return true }

// Close is conn.Listener.
func (f *follower) Close() {}

// Receive is conn.Listener.
func (f *follower) Receive(_ context.Context, p conn.Payload) error {
	var received map[string]string
	if err := p.Decode(&received); err != nil {
		return err
	}
	changes := names{}
	for key := range events.Keys() {
		if name := received[string(key)]; name != "" && !conn.Reserved(name) {
			changes[key] = name
		}
	}
	return f.session.setNames(changes)
}
