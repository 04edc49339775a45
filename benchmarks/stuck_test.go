package main

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var shortStuck = Settings{StuckTurns: 2, StuckEvents: 1000 * burst, StuckTimeout: time.Second}

func TestStuckReader_blocksRawChannels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		delays, err := stuckReader([]Contender{rawChannels()}, 128, shortStuck)
		require.NoError(t, err)
		// The values in the channel, and the value at which the reader is
		// stuck.
		assert.Equal(t, []Delay{{Blocked: true, Published: 129}}, delays)
	})
}

func TestStuckReader_doesNotBlockParley(t *testing.T) {
	contenders := []Contender{noBus(), parley(), parleyDropping()}
	delays, err := stuckReader(contenders, 128, shortStuck)
	require.NoError(t, err)
	for i, d := range delays {
		name := contenders[i].Name
		assert.False(t, d.Blocked, name)
		assert.Equal(t, shortStuck.StuckEvents, d.Published, name)
		assert.LessOrEqual(t, d.P50, d.P99, name)
		assert.LessOrEqual(t, d.P99, d.Max, name)
	}
}

func TestMedianDelay_reportsBlockedIfAnyTurnBlocked(t *testing.T) {
	assert.Equal(t, Delay{Blocked: true, Published: 7},
		medianDelay([]Delay{{P50: 1}, {Blocked: true, Published: 7}, {P50: 3}}))
	assert.Equal(t, Delay{P50: 2, P99: 20, Max: 200, Published: 64},
		medianDelay([]Delay{{P50: 3, P99: 10, Max: 200, Published: 64}, {P50: 1, P99: 30, Max: 300, Published: 64}, {P50: 2, P99: 20, Max: 100, Published: 64}}))
}
