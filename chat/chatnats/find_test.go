package chatnats

import (
	"testing"
	"time"

	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/events"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Find keeps the events of the last request only.
func TestAnswers_keepOneAnswerWhileTheySearch(t *testing.T) {
	var stored bus.Topic[Delivery]
	r := &storedReader{stream: &Stream{ctx: t.Context()}, idle: time.Hour, deliveries: stored.Chan(t.Context())}
	for n, id := range []string{"mine-1", "mine-1", "other", "mine-2", "mine-1", "mine-2"} {
		stored.Publish(Delivery{Event: events.AIToken{RequestID: id, Index: n}, Sequence: uint64(n + 1), Time: time.Now()})
	}
	found, err := r.find(6, isMine)
	require.NoError(t, err)
	assert.True(t, found)
	assert.Equal(t, "mine-2", r.stream.question.RequestID)
	var kept []int
	for _, d := range r.earlier {
		kept = append(kept, d.Event.(events.AIToken).Index)
	}
	assert.Equal(t, []int{3, 5}, kept)
	stored.Close()
}
