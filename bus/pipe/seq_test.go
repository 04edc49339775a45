package pipe_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed67206a74/parley/bus/pipe"
)

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

func TestFromSeq2_endsAtFirstError(t *testing.T) {
	out := pipe.FromSeq2(t.Context(), func(yield func(int, error) bool) {
		_ = yield(1, nil) && yield(2, nil) && yield(0, errors.New("lost")) && yield(3, nil)
	})
	assert.Equal(t, []int{1, 2}, read(t, out))
}

func TestCollect_returnsAllValuesOfClosedInput(t *testing.T) {
	values, err := pipe.Collect(t.Context(), of(1, 2, 3))
	require.NoError(t, err)
	assert.Equal(t, []int{1, 2, 3}, values)
}

func TestCollect_returnsReceivedValuesWhenContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		values, err := pipe.Collect(ctx, open(1, 2))
		assert.Equal(t, context.DeadlineExceeded, err)
		assert.Equal(t, []int{1, 2}, values)
	})
}

func TestFirst_takesOnlyNextValue(t *testing.T) {
	in := of(1, 2)
	v, err := pipe.First(t.Context(), in)
	require.NoError(t, err)
	assert.Equal(t, 1, v)
	assert.Equal(t, []int{2}, read(t, in))
}

func TestFirst_returnsErrEmptyOnClosedInput(t *testing.T) {
	_, err := pipe.First(t.Context(), of[int]())
	assert.Equal(t, pipe.ErrEmpty, err)
}

func TestFirst_returnsContextError(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := pipe.First(ctx, of(1))
	assert.Equal(t, context.Canceled, err)
}
