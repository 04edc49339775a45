package main

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// There are ten times as many events as fit into a channel, so that every
// channel becomes full.
func TestContenders_deliverAllEventsToEachReader(t *testing.T) {
	const events, capacity = 640, 64
	for _, c := range append(contenders(), parleyDropping()) {
		t.Run(c.Name, func(t *testing.T) {
			var all sync.WaitGroup
			var readers []func(Event)
			got := make([][]Event, 3)
			for i := range got {
				all.Add(events)
				readers = append(readers, func(e Event) {
					got[i] = append(got[i], e)
					all.Done()
				})
			}
			b, err := c.Open(capacity, readers)
			require.NoError(t, err)
			var want []Event
			for i := range events {
				e := Event{Number: i, Text: "hello"}
				want = append(want, e)
				require.NoError(t, b.Publish(e))
			}
			all.Wait()
			b.Close()
			for _, g := range got {
				if c.Ordered {
					assert.Equal(t, want, g)
				} else {
					assert.ElementsMatch(t, want, g)
				}
			}
		})
	}
}

func TestContenders_haveUniqueNames(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range append(contenders(), parleyDropping()) {
		assert.False(t, seen[c.Name], c.Name)
		seen[c.Name] = true
	}
}
