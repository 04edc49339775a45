package chatnats

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/events"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAnswers_limitMemoryOfAnswer(t *testing.T) {
	extra := map[string]json.RawMessage{}
	for i := range 1000 {
		extra[fmt.Sprint(i)] = json.RawMessage("1")
	}
	for name, tc := range map[string]struct {
		event events.Event
		most  int // events
	}{
		"small tokens": {events.AIToken{Token: "x"}, maxAnswer / eventMemory},
		"long tokens":  {events.AIToken{Token: strings.Repeat("x", 1<<20)}, 16},
		"members":      {events.AIProcessing{Extra: extra}, maxAnswer / fieldMemory / 1000},
	} {
		t.Run(name, func(t *testing.T) {
			r := &storedReader{stream: &Stream{}}
			n := 0
			for ; !r.take(Delivery{Event: tc.event}); n++ {
			}
			assert.LessOrEqual(t, n, tc.most)
			assert.Equal(t, chat.ErrTooLong, r.stream.err)
			assert.Len(t, r.stream.events, n)
		})
	}
}

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
