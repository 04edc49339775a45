package main

import (
	"fmt"
	"os"
	"strings"
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

func TestPage_computesWorkersFromItsTable(t *testing.T) {
	text, err := os.ReadFile("../../docs/chatnats.md")
	require.NoError(t, err)
	page := string(text)
	_, row, found := strings.Cut(page, "\n| 1 | ")
	require.True(t, found)
	var rate float64
	_, err = fmt.Sscanf(row, "%g |\n", &rate)
	require.NoError(t, err)
	require.Contains(t, page, "\n"+workersFor(rate))
	require.Contains(t, page, "**510,000 events/s**", "of a million chats")
}
