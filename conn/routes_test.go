package conn

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
)

type nullListener struct{ closed int }

func (s *nullListener) Active() bool                           { return true }
func (s *nullListener) Receive(context.Context, Payload) error { return nil }
func (s *nullListener) Close()                                 { s.closed++ }

func TestUpdateRoutes_replacesRoutesAtomically(t *testing.T) {
	var r routes
	s, other := &nullListener{}, &nullListener{}
	bindings := [2][]Route{{{"old", s}}, {{"new", s}}}
	r.update(nil, append([]Route{{"old", other}}, bindings[0]...))

	var flipping sync.WaitGroup
	flipping.Go(func() {
		for n := range 10_000 {
			r.update(bindings[n%2], bindings[(n+1)%2])
		}
	})
	for range 10_000 { // whenever the reader looks, s is bound exactly once
		m := *r.current.Load()
		count := 0
		for _, name := range []string{"old", "new"} {
			for _, sink := range m[name] {
				if sink == Listener(s) {
					count++
				}
			}
		}
		assert.Equal(t, 1, count)
	}
	flipping.Wait()

	assert.Len(t, r.to([]byte("old")), 2)
	assert.Empty(t, r.to([]byte("new")))
	r.update([]Route{{"new", other}, {"never", s}}, nil) // what is not bound is passed over
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
