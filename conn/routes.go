package conn

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
)

// A Sink is where the reader brings the events of a name. Topics and handlers
// are sinks; a layer above conn that wants to decode an event once and publish
// it more than once can bring its own.
//
// Wanted and Receive are called in the reader's goroutine, in wire order, and
// must not block. A sink stays in place over any number of sessions. It is told
// from others by ==, so it should be a pointer.
type Sink interface {
	// Wanted reports whether anybody listens. An event that nobody wants is
	// not decoded.
	Wanted() bool

	// Receive takes an event. The payload is good until Receive returns; ctx
	// ends with the session. An error goes out on Conn.DecodeErrors.
	Receive(ctx context.Context, p Payload) error

	// Close is called when the connection is closed, once for each binding.
	Close()
}

// A Binding brings the events of a name to a sink.
type Binding struct {
	Name string
	Sink Sink
}

// Rebind removes and adds bindings in one step: no event falls in between,
// and none is delivered under both. A binding to remove that is not there is
// passed over.
func (c *Conn) Rebind(remove, add []Binding) { c.routes.rebind(remove, add) }

// routes tells which sinks listen to which name. The reader looks names up in
// a map that never changes; a change replaces the map.
type routes struct {
	current atomic.Pointer[map[string][]Sink]

	mu     sync.Mutex // held while the map is replaced
	topics map[topicID]Sink
	closed bool
}

// to returns the sinks of a name. It allocates nothing.
func (r *routes) to(name []byte) []Sink {
	m := r.current.Load()
	if m == nil {
		return nil
	}
	return (*m)[string(name)]
}

func (r *routes) rebind(remove, add []Binding) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.replace(remove, add)
}

// replace does rebind's work; r.mu is held.
func (r *routes) replace(remove, add []Binding) {
	next := map[string][]Sink{}
	if m := r.current.Load(); m != nil {
		for name, sinks := range *m {
			next[name] = sinks
		}
	}
	for _, b := range remove {
		if i := slices.Index(next[b.Name], b.Sink); i >= 0 {
			next[b.Name] = slices.Delete(slices.Clone(next[b.Name]), i, i+1)
		}
		if len(next[b.Name]) == 0 {
			delete(next, b.Name)
		}
	}
	for _, b := range add {
		next[b.Name] = append(slices.Clone(next[b.Name]), b.Sink)
		if r.closed {
			b.Sink.Close()
		}
	}
	r.current.Store(&next)
}

// close closes every sink that is bound.
func (r *routes) close() {
	r.mu.Lock()
	again := r.closed
	r.closed = true
	m := r.current.Load()
	r.mu.Unlock()
	if again || m == nil {
		return
	}
	for _, sinks := range *m {
		for _, s := range sinks {
			s.Close()
		}
	}
}
