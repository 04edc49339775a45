package conn

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
)

type nullSink struct{ closed int }

func (s *nullSink) Wanted() bool                           { return true }
func (s *nullSink) Receive(context.Context, Payload) error { return nil }
func (s *nullSink) Close()                                 { s.closed++ }

func TestARebindIsOneStep(t *testing.T) {
	var r routes
	s, other := &nullSink{}, &nullSink{}
	bindings := [2][]Binding{{{"old", s}}, {{"new", s}}}
	r.rebind(nil, append([]Binding{{"old", other}}, bindings[0]...))

	var flipping sync.WaitGroup
	flipping.Go(func() {
		for n := range 10_000 {
			r.rebind(bindings[n%2], bindings[(n+1)%2])
		}
	})
	for range 10_000 { // whenever the reader looks, s is bound exactly once
		m := *r.current.Load()
		count := 0
		for _, name := range []string{"old", "new"} {
			for _, sink := range m[name] {
				if sink == Sink(s) {
					count++
				}
			}
		}
		assert.Equal(t, 1, count)
	}
	flipping.Wait()

	assert.Len(t, r.to([]byte("old")), 2)
	assert.Empty(t, r.to([]byte("new")))
	r.rebind([]Binding{{"new", other}, {"never", s}}, nil) // what is not bound is passed over
	r.close()
	assert.Equal(t, 1, s.closed)
	assert.Equal(t, 1, other.closed)
	late := &nullSink{}
	r.rebind(nil, []Binding{{"old", late}})
	assert.Equal(t, 1, late.closed)
}

func TestFindingTheSinksOfANameAllocatesNothing(t *testing.T) {
	var r routes
	assert.Empty(t, r.to([]byte("ai:token")), "the zero value works")
	r.rebind(nil, []Binding{{"ai:token", &nullSink{}}})
	name := []byte("ai:token")
	assert.Zero(t, testing.AllocsPerRun(100, func() { r.to(name) }))
}
