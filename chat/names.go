package chat

import (
	"context"
	"fmt"
	"maps"
	"sync"

	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
)

// names maps each key to its event name.
type names map[events.Key]string

// nameSources are the sources of names. A later source overrides an earlier
// one.
type nameSources struct {
	config     map[events.Key]string // Config.Names
	discovered map[events.Key]string
	set        map[events.Key]string // SetNames
}

// resolve returns the resulting names. Each source overrides the sources before
// it, and the defaults. nameFunc, if not nil, overrides all sources.
func (s nameSources) resolve(nameFunc func(events.Key, string) string) (names, error) {
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
	sent, received := map[string]events.Key{}, map[string]events.Key{} // keys by name
	for key := range events.Keys() {
		name := n[key]
		if nameFunc != nil {
			name = nameFunc(key, name)
		}
		switch {
		case name == "":
			return nil, fmt.Errorf("chat: NameFunc returned no name for %s", key)
		case conn.Reserved(name):
			return nil, fmt.Errorf("chat: the name %q of %s is reserved", name, key)
		}
		for _, used := range directions(key, sent, received) {
			if other, taken := used[name]; taken {
				return nil, fmt.Errorf("chat: %s and %s have the same name %q", other, key, name)
			}
			used[name] = key
		}
		n[key] = name
	}
	return n, nil
}

// directions returns sent for the events that the client sends, and received
// for the events that it receives. It returns both for events of both kinds.
func directions[T any](key events.Key, sent, received T) []T {
	switch key {
	case events.KeyJoin, events.KeyUserMessage, events.KeyUserTypingStart, events.KeyUserTypingStop, events.KeyChatRead:
		return []T{sent}
	case events.KeyAIAbort, events.KeyAIToolResult:
		return []T{sent, received}
	default:
		return []T{received}
	}
}

// A nameTable holds the current names, and changes them atomically.
type nameTable struct {
	nameFunc func(events.Key, string) string
	reroute  func(from, to names) // called with mu held, in the order of the changes
	topic    bus.Topic[map[events.Key]string]

	// mu is taken before the lock of conn's routes and, after Close, before the
	// locks of topics and tools.
	mu         sync.Mutex
	sources    nameSources
	current    names
	version    int // counts the changes
	published  int // the last version that was published
	publishing bool
}

// name returns the current name of a key.
func (t *nameTable) name(key events.Key) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.current[key]
}

// named returns a func that returns the current name of a key.
func (t *nameTable) named(key events.Key) func() string {
	return func() string { return t.name(key) }
}

// update changes the sources and applies the resulting names, unless they are
// invalid. change may be called more than once: NameFunc runs under no lock, so
// another change may be applied first. ctx limits the wait for a subscription
// of Client.Names that blocks.
func (t *nameTable) update(ctx context.Context, change func(s *nameSources)) error {
	for {
		t.mu.Lock()
		next, version := t.sources, t.version
		t.mu.Unlock()
		change(&next)
		resolved, err := next.resolve(t.nameFunc)
		if err != nil {
			return err
		}
		t.mu.Lock()
		if t.version != version {
			t.mu.Unlock()
			continue
		}
		t.reroute(t.current, resolved)
		t.sources, t.current = next, resolved
		t.version++
		t.mu.Unlock()
		t.publish(ctx)
		return nil
	}
}

// publish publishes the current names. If another goroutine is publishing, that
// goroutine also publishes this change, which keeps the order of the changes.
func (t *nameTable) publish(ctx context.Context) {
	if !t.startPublishing() {
		return
	}
	finished := false
	defer func() {
		if !finished { // a function of a subscription panicked
			t.mu.Lock()
			defer t.mu.Unlock()
			t.publishing = false
		}
	}()
	for current := t.unpublished(); current != nil; current = t.unpublished() {
		// A subscription that blocked until ctx ended gets the next change.
		_ = t.topic.PublishContext(ctx, current)
	}
	finished = true
}

func (t *nameTable) startPublishing() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	first := !t.publishing
	t.publishing = true
	return first
}

// unpublished returns the current names if they have not been published.
// Otherwise it returns nil, and the goroutine of the next change publishes.
func (t *nameTable) unpublished() map[events.Key]string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.published == t.version {
		t.publishing = false
		return nil
	}
	t.published = t.version
	return maps.Clone(t.current)
}

// EventName returns the current name of a key, or "" for an unknown key. Names
// publishes each change.
func (c *Client) EventName(key events.Key) string { return c.names.name(key) }

// SetNames changes the names of events that are sent or received from now on.
// The join has its new name from the next connect on. Keys that are not in the
// map keep their name. The change is atomic: it neither loses nor repeats an
// event.
//
// An unknown key, or a name that is empty or reserved, is an error and changes
// nothing. So is a name that two sent events or two received events have.
// SetNames has precedence over Discovery, Discovery over Config.Names,
// and Config.NameFunc over all.
func (c *Client) SetNames(changes map[events.Key]string) error {
	changes = maps.Clone(changes)
	return c.names.update(context.Background(), func(s *nameSources) { s.set = merge(s.set, changes) })
}

// merge returns a map of both, in which changes override names.
func merge(names, changes map[events.Key]string) map[events.Key]string {
	merged := map[events.Key]string{}
	maps.Copy(merged, names)
	maps.Copy(merged, changes)
	return merged
}
