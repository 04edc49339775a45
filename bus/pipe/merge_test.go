package pipe_test

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"

	"github.com/seed67206a74/parley/bus/pipe"
)

func TestMerge_deliversAllValuesInOrderPerInput(t *testing.T) {
	type value struct{ input, n int }
	var ins []<-chan value
	for i := range 3 {
		ins = append(ins, pipe.Map(t.Context(), numbers(100), func(n int) value { return value{i, n} }))
	}
	next := make([]int, 3)
	for _, v := range read(t, pipe.Merge(t.Context(), ins...)) {
		assert.Equal(t, next[v.input], v.n)
		next[v.input]++
	}
	assert.Equal(t, []int{100, 100, 100}, next)
}

func TestMerge_doesNotWaitForIdleInput(t *testing.T) {
	out := pipe.Merge(t.Context(), make(chan int), of(1, 2))
	assert.Equal(t, 1, <-out)
	assert.Equal(t, 2, <-out)
}

func TestMerge_closesWithoutInputs(t *testing.T) {
	assert.Empty(t, read(t, pipe.Merge[int](t.Context())))
}

func TestMerge_copiesArgumentSlice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ins := []<-chan int{of(1)}
		out := pipe.Merge(t.Context(), ins...)
		ins[0] = nil // with the race detector, this alone would fail
		assert.Equal(t, []int{1}, read(t, out))
	})
}

func TestTee_sendsEveryValueToBothOutputs(t *testing.T) {
	a, b := pipe.Tee(t.Context(), numbers(3))
	copied := make(chan []int)
	go func() { copied <- read(t, b) }() // ends with b
	assert.Equal(t, []int{0, 1, 2}, read(t, a))
	assert.Equal(t, []int{0, 1, 2}, <-copied)
}

func TestTee_keepsOutputsWithinOneValue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pipe.Tee(t.Context(), numbers(2))
		assert.Equal(t, 0, <-a)
		synctest.Wait()
		select {
		case n := <-a:
			t.Errorf("%d sent before the other reader received its value", n)
		default:
		}
		assert.Equal(t, 0, <-b)
		assert.Equal(t, 1, <-a)
		assert.Equal(t, 1, <-b)
	})
}
