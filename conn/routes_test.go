package conn

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
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
		m := *r.current.Load()
		count := 0
		for _, name := range []string{"old", "new"} {
			for _, listener := range m[name] {
				if listener == Listener(s) {
					count++
				}
			}
		}
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
