package chatnats

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/require"
)

// forwardAndServe holds the lease of the room until the test ends.
func forwardAndServe(t *testing.T, b *Bus, client *chat.Client) {
	t.Helper()
	ready := make(chan struct{})
	running(t, func(ctx context.Context) error {
		return RunWithLease(ctx, b, room, longLease, func(ctx context.Context) error {
			forwarding, err := Forward(ctx, b, client.Events, ForwardConfig{})
			if err != nil {
				return err
			}
			close(ready)
			err = Serve(ctx, b, client, room)
			_ = forwarding.Wait()
			return err
		})
	})
	<-ready
}

// isMine accepts the request ids of the test.
func isMine(id string) bool { return strings.HasPrefix(id, "mine-") }

func TestAnswers_findsAnswerOfOtherProcess(t *testing.T) {
	t.Parallel()
	server := newServer(t)
	half := make(chan struct{})
	backend := newBackend(t, func(ctx context.Context, q events.UserMessage, emit func(events.Event)) {
		emit(events.AIProcessing{Status: events.StatusWorking})
		emit(events.AIToken{Token: "one ", Index: 0})
		select {
		case <-half:
		case <-ctx.Done():
			return
		}
		emit(events.AIToken{Token: "two", Index: 1})
		emit(events.AIMessage{MessageID: "m1", Text: "one two"})
	})
	forwardAndServe(t, newBus(t, server.URL, Config{}), newHolder(t, backend.URL))
	first := &Answers{Bus: newBus(t, server.URL, Config{})}
	second := &Answers{Bus: newBus(t, server.URL, Config{})}

	ctx := wiretest.Context(t)
	_, ok, err := second.Find(ctx, room, isMine)
	require.NoError(t, err)
	require.False(t, ok, "nothing was asked")
	_, err = first.Ask(ctx, chat.Question{ChatID: room, Text: "Hello"})
	require.ErrorIs(t, err, chat.ErrNoUser)
	asked, err := first.Ask(ctx, chat.Question{ChatID: room, UserID: events.StringID("ada"), Text: "Hello", RequestID: "mine-1",
		Meta: map[string]any{"tenant": "acme"}})
	require.NoError(t, err)
	backend.Expect(t, "user:message", map[string]any{"text": "Hello", "tenant": "acme"})
	_, err = first.Ask(ctx, chat.Question{ChatID: room, UserID: events.StringID("ada"), Meta: map[string]any{"tenant": make(chan int)}})
	require.ErrorContains(t, err, `Meta["tenant"]`)
	for token := range asked.Tokens() {
		require.Equal(t, "one ", token.Token)
		break
	}
	found, ok, err := second.Find(ctx, room, isMine)
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, "mine-1", found.RequestID())
	_, ok, err = second.Find(ctx, room, func(string) bool { return false })
	require.NoError(t, err)
	require.False(t, ok)

	close(half)
	var kinds [2][]events.Event
	for i, answer := range []*Stream{asked, found} {
		message, err := answer.Wait()
		require.NoError(t, err)
		require.Equal(t, "one two", message.Text)
		for batch := range answer.Follow(ctx, 0) {
			kinds[i] = append(kinds[i], batch...)
		}
	}
	require.Len(t, kinds[0], 4)
	require.Equal(t, kinds[0], kinds[1])
	again, ok, err := second.Find(ctx, room, isMine)
	require.NoError(t, err)
	require.True(t, ok, "it has ended, and can be read again")
	_, err = again.Wait()
	require.NoError(t, err)
	second.IdleTimeout = time.Nanosecond
	_, ok, err = second.Find(ctx, room, isMine)
	require.NoError(t, err)
	require.False(t, ok)
}

func TestAnswers_stopsAnswerAtBackend(t *testing.T) {
	t.Parallel()
	server := newServer(t)
	backend := newBackend(t, chattest.Say(strings.Repeat("on ", 10_000), time.Millisecond))
	forwardAndServe(t, newBus(t, server.URL, Config{}), newHolder(t, backend.URL))
	answers := &Answers{Bus: newBus(t, server.URL, Config{})}
	ask := chat.Question{ChatID: room, UserID: events.StringID("ada"), Text: "Hello"}

	stopped, err := answers.Ask(wiretest.Context(t), ask)
	require.NoError(t, err)
	stopped.Abort("enough")
	_, err = stopped.Wait()
	require.ErrorIs(t, err, chat.ErrAborted)
	backend.Expect(t, "ai:abort", map[string]any{"requestId": stopped.RequestID(), "reason": "enough"})

	ctx, leave := context.WithCancel(wiretest.Context(t))
	left, err := answers.Ask(ctx, ask)
	require.NoError(t, err)
	leave()
	_, err = left.Wait()
	require.ErrorIs(t, err, context.Canceled)
	backend.Expect(t, "ai:abort", map[string]any{"requestId": left.RequestID()})
}
