package chat

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed67206a74/parley/events"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFollow_yieldsEventsInBatchesOf256(t *testing.T) {
	ss, s := open(t, StreamConfig{})
	want := []events.Event{events.AIProcessing{RequestID: "r1"}}
	for n := range 600 {
		want = append(want, token("r1", n, "x"))
	}
	want = append(want, final("r1", strings.Repeat("x", 600)))
	ss.offerAll(want...)
	var got []events.Event
	var lengths []int
	for batch, err := range s.Follow(t.Context(), 0) {
		require.NoError(t, err)
		got = append(got, batch...)
		lengths = append(lengths, len(batch))
	}
	assert.Equal(t, want, got)
	assert.Equal(t, []int{256, 256, 89, 1}, lengths)
}

func TestFollow_yieldsEmptyBatchAfterEachTickOfSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ss, s := open(t, StreamConfig{FirstTokenTimeout: time.Hour})
		go func() { // ends after 27 s
			time.Sleep(25 * time.Second)
			ss.offerAll(token("r1", 0, "a"))
			time.Sleep(2 * time.Second)
			ss.offerAll(events.AIError{RequestID: "r1", Message: "broken"})
		}()
		var got []string
		started := time.Now()
		for batch, err := range s.Follow(t.Context(), 10*time.Second) {
			note := time.Since(started).String() + ":"
			for _, event := range batch {
				note += " " + event.Key().DefaultName()
			}
			if err != nil {
				note += " " + err.Error()
			}
			got = append(got, note)
		}
		assert.Equal(t, []string{"10s:", "20s:", "25s: ai:token", "27s: ai error: broken"}, got)
	})
}

func TestFollow_endsWithItsContext(t *testing.T) {
	ss, s := open(t, StreamConfig{})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ss.offerAll(token("r1", 0, "a"))
	var errs []error
	for _, err := range s.Follow(ctx, 0) {
		errs = append(errs, err)
		cancel()
	}
	assert.Equal(t, []error{nil, context.Canceled}, errs)
	ss.offerAll(final("r1", "a"))
	_, err := s.Wait()
	assert.NoError(t, err, "the answer has continued")
}

func TestFollow_stopsWhenLoopBreaks(t *testing.T) {
	ss, s := open(t, StreamConfig{})
	ss.offerAll(token("r1", 0, "a"), final("r1", "a"))
	for batch := range s.Follow(t.Context(), time.Minute) {
		assert.Equal(t, []events.Event{token("r1", 0, "a")}, slices.Clone(batch))
		break
	}
}
