package chat

import (
	"fmt"
	"maps"

	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
)

// names gives each key its event name.
type names map[events.Key]string

// resolve works the names out: those that were set over the defaults, and
// NameFunc over all.
func resolve(set map[events.Key]string, last func(events.Key, string) string) (names, error) {
	n := names{}
	for key := range events.Keys() {
		n[key] = key.DefaultName()
	}
	for key, name := range set {
		if _, known := n[key]; !known {
			return nil, fmt.Errorf("chat: there is no event with the key %q", key)
		}
		if name == "" {
			return nil, fmt.Errorf("chat: the name of %s is empty", key)
		}
		n[key] = name
	}
	for key, name := range n {
		if last != nil {
			name = last(key, name)
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

// SetNames changes event names, from now on: what is sent, what is heard and,
// from the next connect on, the join. Keys that are not in the map keep their
// name. The change is one step: no event is lost or delivered twice by it.
//
// An unknown key, or a name that is empty or reserved, is an error and changes
// nothing. SetNames
// has precedence over Config.Names, and Config.NameFunc over both.
func (c *Client) SetNames(changes map[events.Key]string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	set := maps.Clone(c.set)
	if set == nil {
		set = map[events.Key]string{}
	}
	maps.Copy(set, changes)
	return c.rename(set)
}

// rename makes set the names in force; c.mu is held.
func (c *Client) rename(set map[events.Key]string) error {
	next, err := resolve(set, c.cfg.NameFunc)
	if err != nil {
		return err
	}
	if !c.cfg.NoJoin {
		payload, err := c.base.with(c.cfg.JoinPayload)
		if err != nil {
			return fmt.Errorf("chat: Config.JoinPayload: %w", err)
		}
		if err := c.conn.SetJoin(conn.Join{Event: next[events.KeyJoin], Payload: payload}); err != nil {
			return fmt.Errorf("chat: %w", err)
		}
	}
	var remove, add []conn.Binding
	for key, feed := range c.feeds {
		if was := c.names[key]; was != next[key] {
			if was != "" {
				remove = append(remove, conn.Binding{Name: was, Sink: feed})
			}
			add = append(add, conn.Binding{Name: next[key], Sink: feed})
		}
	}
	c.conn.Rebind(remove, add)
	c.set, c.names = set, next
	return nil
}

// name returns the name in force for a key.
func (c *Client) name(key events.Key) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.names[key]
}
