package main

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFanOut_computesRatiosToFirstContender(t *testing.T) {
	figures, err := fanOut([]Contender{rawChannels(), parley()}, Shape{Readers: 2, Events: 8, Capacity: 8}, Settings{Turns: 1})
	require.NoError(t, err)
	require.Len(t, figures, 2)
	assert.Equal(t, 1.0, figures[0].Ratio)
	assert.Positive(t, figures[1].Nanoseconds)
	assert.InDelta(t, figures[1].Nanoseconds/figures[0].Nanoseconds, figures[1].Ratio, 1e-9)
}

func TestTurn_countsAllocationsPerEvent(t *testing.T) {
	var kept *Event
	c := Contender{Open: func(_ int, readers []func(Event)) (Bus, error) {
		return busFunc(func(e Event) error {
			for range 1000 {
				kept = new(Event)
			}
			readers[0](e)
			return nil
		}), nil
	}}
	figure, err := turn(c, Shape{Readers: 1, Events: 8}, 0)
	require.NoError(t, err)
	require.NotNil(t, kept)
	assert.InDelta(t, 1000, figure.Allocations, 100)
}

func TestContenders_areNamedInErrors(t *testing.T) {
	refused := errors.New("refused")
	for stage, c := range map[string]Contender{
		"open": {Name: "broken", Open: func(int, []func(Event)) (Bus, error) { return nil, refused }},
		"publish": {Name: "broken", Open: func(int, []func(Event)) (Bus, error) {
			return busFunc(func(Event) error { return refused }), nil
		}},
	} {
		t.Run(stage, func(t *testing.T) {
			_, err := fanOut([]Contender{c}, Shape{Readers: 1, Events: 1}, Settings{Turns: 1})
			require.ErrorIs(t, err, refused)
			assert.ErrorContains(t, err, "broken")
			_, err = stuckReader([]Contender{c}, 1, Settings{StuckTurns: 1, StuckEvents: burst, StuckTimeout: 1})
			require.ErrorIs(t, err, refused)
			assert.ErrorContains(t, err, "broken")
		})
	}
}

type busFunc func(Event) error

func (b busFunc) Publish(e Event) error { return b(e) }
func (busFunc) Close()                  {}

func TestMedians_areComputedPerField(t *testing.T) {
	assert.Equal(t, FanOut{2, 20, 200}, medians([]FanOut{{3, 30, 100}, {1, 10, 300}, {2, 20, 200}}))
	assert.Equal(t, 99, percentile([]int{100, 1, 50, 99}, 99))
	assert.Equal(t, 100, percentile([]int{100, 1, 50, 99}, 100))
}
