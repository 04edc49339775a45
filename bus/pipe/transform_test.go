package pipe_test

import (
	"iter"
	"strconv"
	"strings"
	"testing"

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
