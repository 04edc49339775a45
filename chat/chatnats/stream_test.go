package chatnats

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/require"
)

func TestStream_isLimitedInCountAndBytes(t *testing.T) {
	long := strings.Repeat("x", 1<<20)
	for name, tc := range map[string]struct {
		event events.Event
		room  int // how many of it are kept
	}{
		"tokens":     {events.AIToken{Token: "x"}, 16 << 20 / (128 + 2)},
		"long token": {events.AIToken{Token: long}, 7},
		"status":     {events.AIProcessing{Reason: long}, 15},
		"result":     {events.AIToolResult{Result: json.RawMessage(long)}, 15},
		"extra":      {events.AIToken{Extra: map[string]json.RawMessage{"x": json.RawMessage(long)}}, 15},
	} {
		t.Run(name, func(t *testing.T) {
			s := &Stream{done: make(chan struct{})}
			added := 0
			for ; s.add([]events.Event{tc.event}) == nil; added++ {
			}
			require.Equal(t, tc.room, added)
			require.ErrorIs(t, s.add([]events.Event{tc.event}), chat.ErrTooLong)
			require.Len(t, s.events, added)
			require.NoError(t, s.add([]events.Event{events.AIMessage{Text: long}}), "the final message is not counted")
		})
	}
	s := &Stream{done: make(chan struct{}), events: make([]events.Event, maxEvents)}
	require.ErrorIs(t, s.add([]events.Event{events.AIToken{}}), chat.ErrTooLong)
}

func TestAnswers_endsTooLongAnswer(t *testing.T) {
	t.Parallel()
	server := newServer(t)
	backend := newBackend(t, func(ctx context.Context, _ events.UserMessage, emit func(events.Event)) {
		token := strings.Repeat("x", 256<<10)
		for i := range 40 { // the text is kept twice
			emit(events.AIToken{Token: token, Index: i})
		}
		<-ctx.Done()
	})
	forwardAndServe(t, newBus(t, server.URL, Config{}), newHolder(t, backend.URL))
	answers := &Answers{Bus: newBus(t, server.URL, Config{})}
	answer, err := answers.Ask(wiretest.Context(t), chat.Question{ChatID: room, UserID: events.StringID("ada"), Text: "Hello"})
	require.NoError(t, err)
	_, err = answer.Wait()
	require.ErrorIs(t, err, chat.ErrTooLong)
	backend.Expect(t, "ai:abort", map[string]any{"requestId": answer.RequestID()})
}
