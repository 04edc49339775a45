package pipe_test

import (
	"context"
	"iter"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seed67206a74/parley/bus"
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

// sums yields the sum of each n values, and of the rest.
func sums(n int) func(iter.Seq[int]) iter.Seq[int] {
	return func(values iter.Seq[int]) iter.Seq[int] {
		return func(yield func(int) bool) {
			sum, count := 0, 0
			for v := range values {
				if sum, count = sum+v, count+1; count < n {
					continue
				}
				if !yield(sum) {
					return
				}
				sum, count = 0, 0
			}
			if count > 0 {
				yield(sum)
			}
		}
	}
}

func TestThrough_keepsStateAndFlushes(t *testing.T) {
	assert.Equal(t, []int{1, 5, 4}, read(t, pipe.Through(t.Context(), numbers(5), sums(2))))
}

func TestThrough_endsWithContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	out := pipe.Through(ctx, open(1, 2, 3), sums(2))
	assert.Equal(t, 3, <-out)
	cancel()
	assert.Empty(t, read(t, out))
}

func TestThrough_closesAfterPanic(t *testing.T) {
	ctx, cancel := pipe.WithCancelOnPanic(t.Context())
	defer cancel()
	out := pipe.Through(ctx, open(1), func(values iter.Seq[int]) iter.Seq[int] {
		return func(yield func(int) bool) {
			for range values {
				panic("odd")
			}
		}
	})
	_, err := pipe.Collect(ctx, out)
	var panicked *bus.PanicError
	assert.ErrorAs(t, err, &panicked)
}
