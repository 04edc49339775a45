package main

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if os.Getenv(beServer) != "" {
		if err := serveLoad(); err != nil {
			panic(err)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

func TestHistogram_returnsQuantilesWithinOneBucket(t *testing.T) {
	var h histogram
	empty := h.counts()
	assert.Zero(t, empty.quantile(0.5))
	for ms := range 1000 {
		h.add(time.Duration(ms+1) * time.Millisecond)
	}
	all := h.counts()
	assert.Equal(t, 1000, all.sum())
	for q, want := range map[float64]time.Duration{0.5: 500 * time.Millisecond, 0.99: 990 * time.Millisecond} {
		assert.InEpsilon(t, float64(want), float64(all.quantile(q)), 0.06)
	}
	h.add(0)
	h.add(24 * time.Hour)
	assert.Equal(t, 2, h.counts().since(all).sum())
}

// The whole program with few connections.
func TestMeasure_receivesAllTokensOfFewConnections(t *testing.T) {
	for _, c := range contenders {
		t.Run(c.name, func(t *testing.T) {
			open, err := c.open()
			require.NoError(t, err)
			r, err := measure(open, 5, 20*time.Millisecond, 5)
			require.NoError(t, err)
			assert.Zero(t, r.lost)
			assert.InDelta(t, c.goroutines, r.goroutines, 1)
		})
	}
}
