package observe_test

import (
	"bytes"
	"log/slog"
	"testing"

	"github.com/seed67206a74/parley/internal/observe"
	"github.com/stretchr/testify/assert"
)

type one interface{ One() }
type two interface{ Two() }

type both struct{}

func (both) One() {}
func (both) Two() {}

type single struct{}

func (single) Two() {}

func TestOf_returnsImplementations(t *testing.T) {
	observers := []any{both{}, single{}, nil, 3}
	assert.Equal(t, []one{both{}}, observe.Of[one](observers))
	assert.Equal(t, []two{both{}, single{}}, observe.Of[two](observers))
	assert.Nil(t, observe.Of[error](observers))
}

func TestEach_logsPanicAndCallsOthers(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(&out, nil))
	var called []int
	observe.Each(log, []int{1, 2, 3}, func(n int) {
		called = append(called, n)
		if n == 2 {
			panic("boom")
		}
	})
	assert.Equal(t, []int{1, 2, 3}, called)
	assert.Contains(t, out.String(), `level=ERROR msg="observer has panicked" panic=boom stack=`)
}

func TestEach_doesNotAllocate(t *testing.T) {
	var none, some []one
	some = append(some, both{})
	size := 0
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		observe.Each(nil, none, func(one) { size++ })
		observe.Each(nil, some, func(o one) { o.One(); size++ })
	}))
	assert.Positive(t, size)
}
