package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMeasure_handlesAndReadsAllEvents(t *testing.T) {
	rate, err := measureWorkers(t.Context(), 2, 100)
	require.NoError(t, err)
	require.Positive(t, rate)
	r, err := measureLeases(t.Context(), 3, 2, 300, 10*time.Millisecond)
	require.NoError(t, err)
	require.Positive(t, r.rate)
}
