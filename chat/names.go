package chat

import (
	"fmt"
	"maps"

	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
)

// names maps each key to its event name.
type names map[events.Key]string

// sources are where names come from, each one over the one before it.
type sources struct {
	config     map[events.Key]string // Config.Names
	discovered map[events.Key]string
	set        map[events.Key]string // SetNames
	last       func(events.Key, string) string
}

// resolve works the names out: those of each source over those before it, all
// of them over the defaults, and NameFunc over all.
func (s sources) resolve() (names, error) {
	n := names{}
	for key := range events.Keys() {
		n[key] = key.DefaultName()
	}
	for _, source := range []map[events.Key]string{s.config, s.discovered, s.set} {
		for key, name := range source {
			if _, known := n[key]; !known {
				return nil, fmt.Errorf("chat: there is no event with the key %q", key)
			}
			if name == "" {
				return nil, fmt.Errorf("chat: the name of %s is empty", key)
			}
			n[key] = name
		}
	}
	for key, name := range n {
		if s.last != nil {
			name = s.last(key, name)
		}
		switch {
		case name == "":
			return nil, fmt.Errorf("chat: NameFunc gives no name for %s", key)
		case conn.Reserved(name):
			return nil, fmt.Errorf("chat: the name %q of %s is reserved", name, key)
		}
		n[key] = name
	}
	return n, nil
}

// SetNames changes event names at once, for sending and for receiving; the join
// has its new name from the next connect on. Keys that are not in the map keep
// their name. The change is atomic: no event is lost or delivered twice by it.
//
// An unknown key, or a name that is empty or reserved, is an error and changes
// nothing. SetNames has precedence over what discovery has learnt, that over
// Config.Names, and Config.NameFunc over all.
func (c *Client) SetNames(changes map[events.Key]string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	next := c.sources
	next.set = maps.Clone(next.set)
	if next.set == nil {
		next.set = map[events.Key]string{}
	}
	maps.Copy(next.set, changes)
	return c.rename(next)
}

// rename makes the names of next those in force; c.mu is held.
func (c *Client) rename(next sources) error {
	resolved, err := next.resolve()
	if err != nil {
		return err
	}
	var remove, add []conn.Route
	for key, listener := range c.listeners {
		if was := c.names[key]; was != resolved[key] {
			if was != "" {
				remove = append(remove, conn.Route{Name: was, Listener: listener})
			}
			add = append(add, conn.Route{Name: resolved[key], Listener: listener})
		}
	}
	c.conn.UpdateRoutes(remove, add)
	c.sources, c.names = next, resolved
	return nil
}

// name returns the name in force for a key.
func (c *Client) name(key events.Key) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.names[key]
}

// named returns what gives the name in force for a key.
func (c *Client) named(key events.Key) func() string {
	return func() string { return c.name(key) }
}
