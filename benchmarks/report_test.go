package main

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed67206a74/parley/benchmarks/internal/markdown"
)

func TestFanOutTable_printsTimesThenAllocations(t *testing.T) {
	columns := [][]FanOut{{{65, 1, 0}}, {{296.4, 1.25, 2}}, {{1197, 31.4, 1.5}}}
	assert.Equal(t, ""+
		"| ns per event | 1→1 | × raw | 1→4 | × raw | 1→16 | × raw | allocs 1→1 | allocs 1→4 | allocs 1→16 |\n"+
		"| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n"+
		"| a | 65 | 1.00 | 296 | 1.25 | 1197 | 31 | 0.0 | 2.0 | 1.5 |\n",
		fanOutTable([]Contender{{Name: "a"}}, columns))
}

func TestStuckTable_printsNoFiguresForBlockedContender(t *testing.T) {
	delays := []Delay{{Blocked: true, Published: 129}, {P50: 70, P99: 1234, Max: 12_345_678 * time.Nanosecond}}
	assert.Equal(t, ""+
		"| publishing takes | p50 | p99 | max |  |\n"+
		"| --- | ---: | ---: | ---: | ---: |\n"+
		"| a | – | – | ∞ | blocks for ever, 129 calls returned |\n"+
		"| b | 70ns | 1.23µs | 12.3ms |  |\n",
		stuckTable([]Contender{{Name: "a"}, {Name: "b"}}, delays))
}

// A run measures for minutes before it needs the markers.
func TestREADME_hasMarkers(t *testing.T) {
	text, err := os.ReadFile("README.md")
	require.NoError(t, err)
	_, err = markdown.Between(string(text), "")
	assert.NoError(t, err)
}
