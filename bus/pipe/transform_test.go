package pipe_test

import (
	"context"
	"iter"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"

	"github.com/seed67206a74/parley/bus/pipe"
)

func TestMap_keepsOrder(t *testing.T) {
	out := pipe.Map(t.Context(), numbers(5), strconv.Itoa)
	assert.Equal(t, []string{"0", "1", "2", "3", "4"}, read(t, out))
}

func TestFilter_passesMatchingValues(t *testing.T) {
	out := pipe.Filter(t.Context(), numbers(6), func(n int) bool { return n%2 == 1 })
	assert.Equal(t, []int{1, 3, 5}, read(t, out))
}

func TestFlatMap_sendsAllValuesOfEachSequence(t *testing.T) {
	out := pipe.FlatMap(t.Context(), of("a b", "", "c"), strings.FieldsSeq)
	assert.Equal(t, []string{"a", "b", "c"}, read(t, out))
}

func TestFlatMap_sendsBeforeSequenceEnds(t *testing.T) {
	endless := func(n int) iter.Seq[int] {
		return func(yield func(int) bool) {
			for ; yield(n); n++ {
			}
		}
	}
	out := pipe.FlatMap(t.Context(), of(7), endless)
	assert.Equal(t, 7, <-out)
	assert.Equal(t, 8, <-out)
}

func TestSeq_resumesAfterBreak(t *testing.T) {
	all := pipe.Seq(t.Context(), numbers(4))
	for n := range all {
		if n == 1 {
			break
		}
	}
	assert.Equal(t, []int{2, 3}, slices.Collect(all))
}

func TestFromSeq_sendsNothingAfterCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		out := pipe.FromSeq(ctx, func(yield func(int) bool) {
			synctest.Wait() // the reader is waiting
			cancel()
			assert.False(t, yield(1))
		})
		assert.Empty(t, read(t, out))
	})
}

func TestFromSeq_keepsOrder(t *testing.T) {
	assert.Equal(t, []int{3, 1, 2}, read(t, pipe.FromSeq(t.Context(), slices.Values([]int{3, 1, 2}))))
}
