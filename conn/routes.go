package conn

import (
	"context"
	"slices"
	"sync"
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

	// Receive processes an event. The payload is valid until Receive returns.
	// ctx ends with Run, so that an event is delivered even if its session ends
	// meanwhile. An error is published on Conn.DecodeErrors, and so is a panic,
	// as a *bus.PanicError.
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

// routes holds the listeners of each name.
type routes struct {
	mu     sync.Mutex // no other lock is taken while it is held
	byName map[string][]Listener
	closed bool
}

// to returns the listeners of a name, a slice that never changes. It allocates
// nothing.
func (r *routes) to(name []byte) []Listener {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.byName[string(name)]
}

// update removes and adds routes. After close it closes the listeners that it
// adds. It does so after it has released the lock, because Close is the user's
// function.
func (r *routes) update(remove, add []Route) {
	r.mu.Lock()
	for _, route := range remove {
		r.remove(route)
	}
	for _, route := range add {
		r.add(route)
	}
	closed := r.closed
	r.mu.Unlock()
	if closed {
		for _, route := range add {
			route.Listener.Close()
		}
	}
}

// sync adds or removes the route so that it exists while its listener is
// active. After close it closes the listener.
func (r *routes) sync(route Route) {
	r.mu.Lock()
	exists := slices.Contains(r.byName[route.Name], route.Listener)
	switch active := route.Listener.Active(); {
	case active && !exists:
		r.add(route)
	case !active && exists:
		r.remove(route)
	}
	closed := r.closed
	r.mu.Unlock()
	if closed {
		route.Listener.Close()
	}
}

// add adds a route; mu is held.
func (r *routes) add(route Route) {
	if r.byName == nil {
		r.byName = make(map[string][]Listener)
	}
	r.byName[route.Name] = append(slices.Clip(r.byName[route.Name]), route.Listener)
}

// remove removes a route if it exists; mu is held.
func (r *routes) remove(route Route) {
	old := r.byName[route.Name]
	i := slices.Index(old, route.Listener)
	switch {
	case i < 0:
	case len(old) == 1:
		delete(r.byName, route.Name)
	default:
		r.byName[route.Name] = slices.Concat(old[:i], old[i+1:])
	}
}

// close closes every listener.
func (r *routes) close() {
	r.mu.Lock()
	var all []Listener
	if !r.closed {
		for _, listeners := range r.byName {
			all = append(all, listeners...)
		}
	}
	r.closed = true
	r.mu.Unlock()
	for _, listener := range all {
		defer listener.Close() // deferred: a panic of one keeps no other open
	}
}
