package conn

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
)

// A Listener receives the events of a name from the reader. [On] and [Handle]
// add listeners of their own. A package on top of conn can add another, for
// example to decode an event once and publish it on several topics.
//
// Active and Receive are called in the reader's goroutine, in wire order, and
// must not block. No lock is held during a call. A listener stays in place over
// any number of sessions. Listeners are compared with ==, so a listener should
// be a pointer.
type Listener interface {
	// Active reports whether the listener needs events. An event without an
	// active listener is not decoded.
	Active() bool

	// Receive processes an event. The payload is valid until Receive returns,
	// and ctx ends with the session. An error is published on
	// Conn.DecodeErrors.
	Receive(ctx context.Context, p Payload) error

	// Close is called once for each route when the connection is closed, or
	// when the route is added after that.
	Close()
}

// A Pacer is a [Listener] that can wait for its own readers. Over long-polling
// thousands of events can arrive in one HTTP response. From the 64th event of a
// response on, Pace is called before Receive, under the same conditions. It
// waits until the readers have room again, or until ctx ends. Together these
// waits are limited by the server's ping timeout.
type Pacer interface {
	Pace(ctx context.Context)
}

// A Route sends the events of a name to a listener.
type Route struct {
	Name     string
	Listener Listener
}

// UpdateRoutes removes and adds routes in one step, so no event is lost or
// delivered twice. It ignores a route to remove that does not exist.
func (c *Conn) UpdateRoutes(remove, add []Route) { c.routes.update(remove, add) }

// routes holds the listeners of each name. The reader looks names up in a map
// that never changes; an update replaces the map.
type routes struct {
	current atomic.Pointer[map[string][]Listener]

	mu     sync.Mutex            // held while the map is replaced; no other lock is taken meanwhile
	topics map[topicKey]Listener // of On
	closed bool
}

// to returns the listeners of a name. It allocates nothing.
func (r *routes) to(name []byte) []Listener {
	m := r.current.Load()
	if m == nil {
		return nil
	}
	return (*m)[string(name)]
}

// update removes and adds routes. After close it closes the listeners that it
// adds. It does so after it has released the lock, because Close is the user's
// function.
func (r *routes) update(remove, add []Route) {
	r.mu.Lock()
	r.replace(remove, add)
	closed := r.closed
	r.mu.Unlock()
	if closed {
		for _, route := range add {
			route.Listener.Close()
		}
	}
}

// replace does the work of update; mu is held.
func (r *routes) replace(remove, add []Route) {
	next := map[string][]Listener{}
	if m := r.current.Load(); m != nil {
		for name, listeners := range *m {
			next[name] = listeners
		}
	}
	for _, route := range remove {
		if i := slices.Index(next[route.Name], route.Listener); i >= 0 {
			next[route.Name] = slices.Delete(slices.Clone(next[route.Name]), i, i+1)
		}
		if len(next[route.Name]) == 0 {
			delete(next, route.Name)
		}
	}
	for _, route := range add {
		next[route.Name] = append(slices.Clone(next[route.Name]), route.Listener)
	}
	r.current.Store(&next)
}

// close closes every listener.
func (r *routes) close() {
	r.mu.Lock()
	wasClosed := r.closed
	r.closed = true
	m := r.current.Load()
	r.mu.Unlock()
	if wasClosed || m == nil {
		return
	}
	for _, listeners := range *m {
		for _, listener := range listeners {
			listener.Close()
		}
	}
}
