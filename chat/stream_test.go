package chat

import (
	"context"
	"strings"
	"testing"

	"github.com/seed67206a74/parley/events"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// asked returns a client with one stream in flight for each request id, as if
// the questions had been sent.
func asked(t *testing.T, ctx context.Context, requests ...string) (client *Client, streams []*Stream, endRun func(error)) {
	t.Helper()
	client, err := New("http://localhost", Config{ChatID: events.StringID("room-1")})
	require.NoError(t, err)
	t.Cleanup(func() { client.Close() })
	runCtx, end := context.WithCancelCause(context.Background()) // as Run has it
	t.Cleanup(func() { end(nil) })
	client.mu.Lock()
	client.runCtx, endRun = runCtx, func(err error) { end(stopped(err)) }
	client.mu.Unlock()
	for _, id := range requests {
		s := newStream(ctx, client, Question{RequestID: id, ChatID: client.cfg.ChatID})
		require.True(t, client.streams.add(s))
		client.streams.attach(s)
		streams = append(streams, s)
	}
	return client, streams, endRun
}

// token and final make events of an answer; "" for no request id.
func token(request string, index int, text string) events.Event {
	return events.AIToken{RequestID: request, Index: index, Token: text}
}

func final(request, text string) events.Event {
	return events.AIMessage{RequestID: request, MessageID: "m", Role: "assistant", Text: text}
}

func offerAll(c *Client, all ...events.Event) {
	for _, event := range all {
		c.streams.offer(event)
	}
}

// read returns the tokens of a stream, joined, once it has ended.
func read(s *Stream) string {
	var text strings.Builder
	for token := range s.Tokens() {
		text.WriteString(token.Token)
	}
	return text.String()
}

func TestStream_yieldsOwnTokensOnceInOrder(t *testing.T) {
	client, streams, _ := asked(t, t.Context(), "r1", "r2")
	offerAll(client,
		token("r1", 0, "a"), token("r2", 0, "x"), token("r1", 1, "b"),
		token("r1", 1, "b"), token("r1", 0, "a"), // again: dropped
		token("r3", 0, "?"), token("", 0, "?"), // nobody's
		token("r1", 2, "c"), final("r2", "x"), final("r1", "abc"),
		token("r1", 3, "late"),
	)
	assert.Equal(t, "abc", read(streams[0]))
	assert.Equal(t, "abc", read(streams[0]), "a reader may come late, and more than once")
	assert.Equal(t, "x", read(streams[1]))
	for range 2 {
		message, err := streams[0].Wait()
		require.NoError(t, err)
		assert.Equal(t, "abc", message.Text)
	}
	assert.False(t, client.streams.waiting())
}

func TestStream_acceptsEventsWithoutRequestID(t *testing.T) {
	client, streams, _ := asked(t, t.Context(), "r1")
	elsewhere := events.AIToken{ChatID: events.StringID("room-2"), Token: "?"}
	here := events.AIToken{ChatID: events.StringID("room-1"), Index: 1, Token: "b"}
	offerAll(client, token("", 0, "a"), elsewhere, here, final("", "ab"))
	assert.Equal(t, "ab", read(streams[0]))
}

func TestStream_failsWithErrAmbiguousForConcurrentQuestions(t *testing.T) {
	client, streams, _ := asked(t, t.Context(), "r1", "r2", "r3")
	offerAll(client, token("r3", 0, "a"), events.AIProcessing{Status: events.StatusWorking}, token("", 0, "?"))
	for _, s := range streams[:2] {
		_, err := s.Wait()
		assert.ErrorIs(t, err, ErrAmbiguous)
		assert.Empty(t, read(s), "never a wrong token")
	}
	offerAll(client, token("", 1, "?"), token("r3", 1, "b"), final("r3", "ab"))
	assert.Equal(t, "ab", read(streams[2]), "the backend has named this one: it is not meant")
}

// A backend without request ids may still speak to a question that was given up.
func TestStream_ignoresTokensOfAbandonedQuestion(t *testing.T) {
	client, streams, _ := asked(t, t.Context(), "begun")
	next := func(id string) *Stream {
		s := newStream(t.Context(), client, Question{RequestID: id, ChatID: client.cfg.ChatID})
		require.True(t, client.streams.add(s))
		client.streams.attach(s)
		return s
	}
	offerAll(client, token("", 0, "old "))
	streams[0].Abort("")
	second := next("second")
	offerAll(client, token("", 1, "old "), token("", 2, "old "), token("", 0, "new"), token("", 1, "er"), final("", "newer"))
	assert.Equal(t, "newer", read(second))

	silent := next("given up before it began")
	silent.Abort("")
	third := next("third")
	offerAll(client, token("", 0, "whose?"))
	_, err := third.Wait()
	assert.ErrorIs(t, err, ErrAmbiguous)
}

func TestAsk_rejectsDuplicateRequestIDAndMissingUser(t *testing.T) {
	client, _, _ := asked(t, t.Context(), "r1")
	_, err := client.Ask(t.Context(), Question{UserID: events.StringID("u1"), RequestID: "r1"})
	assert.ErrorIs(t, err, ErrDuplicateRequest)
	_, err = client.Ask(t.Context(), Question{RequestID: "r2"})
	assert.ErrorIs(t, err, ErrNoUser)
}

// open returns one stream in flight of a client with the given limits.
func open(t *testing.T, limits StreamConfig) (*Client, *Stream) {
	t.Helper()
	client, streams, _ := asked(t, t.Context())
	client.cfg.Stream = limits
	client.cfg.Stream.setDefaults()
	s := newStream(t.Context(), client, Question{RequestID: "r1", ChatID: client.cfg.ChatID})
	require.True(t, client.streams.add(s))
	client.streams.attach(s)
	return client, append(streams, s)[0]
}

// A question that is given up while another is being answered may be the one
// that the backend goes on about.
func TestStream_failsWithErrAmbiguousAfterAbandonedLaterQuestion(t *testing.T) {
	client, streams, _ := asked(t, t.Context(), "first", "later")
	offerAll(client, events.AIProcessing{Status: events.StatusWorking}) // of whom does not matter
	streams[1].Abort("")
	offerAll(client, token("", 0, "whose?"))
	_, err := streams[0].Wait()
	assert.ErrorIs(t, err, ErrAmbiguous)
	assert.Empty(t, read(streams[0]), "never a wrong token")

	client, streams, _ = asked(t, t.Context(), "first")
	offerAll(client, token("", 0, "a"))
	later := newStream(t.Context(), client, Question{RequestID: "later", ChatID: client.cfg.ChatID})
	require.True(t, client.streams.add(later))
	client.streams.attach(later)
	later.Abort("")
	offerAll(client, token("", 1, "whose?"))
	_, err = streams[0].Wait()
	assert.ErrorIs(t, err, ErrAmbiguous)
	assert.Equal(t, "a", read(streams[0]))
}
