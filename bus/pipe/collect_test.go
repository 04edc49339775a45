package pipe_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed67206a74/parley/bus/pipe"
)

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
