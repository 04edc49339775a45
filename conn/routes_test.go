package conn

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/seed67206a74/parley/bus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

type nullListener struct{ closed int }

func (l *nullListener) Active() bool                           { return true }
func (l *nullListener) Receive(context.Context, Payload) error { return nil }
func (l *nullListener) Close()                                 { l.closed++ }

func TestUpdateRoutes_replacesRoutesAtomically(t *testing.T) {
	var r routes
	s, other := &nullListener{}, &nullListener{}
	sets := [2][]Route{{{"old", s}}, {{"new", s}}}
	r.update(nil, append([]Route{{"old", other}}, sets[0]...))

	var flipping sync.WaitGroup
	flipping.Go(func() {
		for n := range 10_000 {
			r.update(sets[n%2], sets[(n+1)%2])
		}
	})
	for range 10_000 { // at each moment s has exactly one route
		count := 0
		r.mu.Lock()
		for _, listeners := range r.byName {
			if slices.Contains(listeners, Listener(s)) {
				count++
			}
		}
		r.mu.Unlock()
		assert.Equal(t, 1, count)
	}
	flipping.Wait()

	assert.Len(t, r.to([]byte("old")), 2)
	assert.Empty(t, r.to([]byte("new")))
	r.update([]Route{{"new", other}, {"never", s}}, nil) // a route that does not exist is ignored
	r.close()
	assert.Equal(t, 1, s.closed)
	assert.Equal(t, 1, other.closed)
	late := &nullListener{}
	r.update(nil, []Route{{"old", late}})
	assert.Equal(t, 1, late.closed)
}

func TestRoutes_findsListenersWithoutAllocating(t *testing.T) {
	var r routes
	assert.Empty(t, r.to([]byte("ai:token")), "the zero value works")
	r.update(nil, []Route{{"ai:token", &nullListener{}}})
	name := []byte("ai:token")
	assert.Zero(t, testing.AllocsPerRun(100, func() { r.to(name) }))
}

func TestOn_releasesNameWithoutSubscription(t *testing.T) {
	c, err := New("http://localhost", Config{})
	require.NoError(t, err)
	for n := range 1000 {
		On[int](c, fmt.Sprint(n)).Subscribe(t.Context()).Close()
	}
	assert.Empty(t, c.routes.byName)

	source := On[int](c, "kept")
	source.Subscribe(t.Context()).Close()
	again := source.Subscribe(t.Context())
	assert.Len(t, c.routes.to([]byte("kept")), 1)
	assert.Equal(t, source, On[int](c, "kept"))
	require.NoError(t, c.Close())
	for range again.C() { // closes
	}
	late := source.Subscribe(t.Context())
	assert.ErrorIs(t, late.Err(), bus.ErrClosed)
	assert.ErrorIs(t, On[int](c, "late").Subscribe(t.Context()).Err(), bus.ErrClosed)
}

// The cost is counted in allocations.
func TestOn_costDoesNotGrowWithNames(t *testing.T) {
	c, err := New("http://localhost", Config{})
	require.NoError(t, err)
	defer c.Close()
	n := 0
	on := func() {
		On[int](c, strconv.Itoa(n)).Subscribe(t.Context(), bus.Limit(1))
		n++
	}
	for range 5000 {
		on()
	}
	assert.Less(t, testing.AllocsPerRun(100, on), 50.0)
}
