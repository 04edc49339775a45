package chat

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

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
	life, end := context.WithCancelCause(context.Background()) // as Run has it
	t.Cleanup(func() { end(nil) })
	client.life, endRun = life, func(err error) { end(stopped(err)) }
	for _, id := range requests {
		s := newStream(ctx, client, Question{RequestID: id, ChatID: client.cfg.ChatID})
		require.True(t, client.answers.add(s))
		s.watch()
		streams = append(streams, s)
	}
	return client, streams, endRun
}

// token, final and failure are what a backend answers; "" for no request id.
func token(request string, index int, text string) events.Event {
	return events.AIToken{RequestID: request, Index: index, Token: text}
}

func final(request, text string) events.Event {
	return events.AIMessage{RequestID: request, MessageID: "m", Role: "assistant", Text: text}
}

func offerAll(c *Client, all ...events.Event) {
	for _, event := range all {
		c.answers.offer(event)
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

func TestAStreamCarriesItsOwnTokensInOrderAndOnce(t *testing.T) {
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
	assert.False(t, client.answers.waiting())
}

func TestWithoutRequestIDTheOnlyQuestionOfTheChatIsMeant(t *testing.T) {
	client, streams, _ := asked(t, t.Context(), "r1")
	elsewhere := events.AIToken{ChatID: events.StringID("room-2"), Token: "?"}
	here := events.AIToken{ChatID: events.StringID("room-1"), Index: 1, Token: "b"}
	offerAll(client, token("", 0, "a"), elsewhere, here, final("", "ab"))
	assert.Equal(t, "ab", read(streams[0]))
}

func TestTwoQuestionsMakeAnAnswerWithoutRequestIDNobodys(t *testing.T) {
	client, streams, _ := asked(t, t.Context(), "r1", "r2")
	offerAll(client, token("", 0, "?"), final("r2", ""), token("", 0, "a"), final("", "a"))
	assert.Equal(t, "a", read(streams[0]), "once the other has ended, it is the only one again")
	assert.Empty(t, read(streams[1]))
}

func TestTheSameRequestIDTwiceIsRefused(t *testing.T) {
	client, _, _ := asked(t, t.Context(), "r1")
	_, err := client.Ask(t.Context(), Question{UserID: events.StringID("u1"), RequestID: "r1"})
	assert.ErrorIs(t, err, ErrDuplicateRequest)
	_, err = client.Ask(t.Context(), Question{RequestID: "r2"})
	assert.ErrorIs(t, err, ErrNoUser)
}

func TestAnErrorOfTheBackendIsTheStreams(t *testing.T) {
	client, streams, _ := asked(t, t.Context(), "r1")
	offerAll(client, token("r1", 0, "a"), events.AIError{RequestID: "r1", Code: "E", Message: "broken"})
	assert.Equal(t, "a", read(streams[0]))
	_, err := streams[0].Wait()
	var failure *events.AIError
	require.ErrorAs(t, err, &failure)
	assert.Equal(t, "broken", failure.Message)
}

func TestSilenceEndsAStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, streams, _ := asked(t, t.Context(), "r1")
		start := time.Now()
		time.Sleep(50 * time.Second)
		offerAll(client, events.AIProcessing{RequestID: "r1", Status: events.StatusWorking})
		_, err := streams[0].Wait()
		assert.ErrorIs(t, err, ErrStalled)
		assert.Equal(t, 110*time.Second, time.Since(start), "a minute after the last sign of life")
	})
}

func TestAStreamEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	client, streams, _ := asked(t, ctx, "r1")
	offerAll(client, token("r1", 0, "a"))
	tokens := streams[0].Tokens()
	cancel()
	_, err := streams[0].Wait()
	assert.ErrorIs(t, err, context.Canceled)
	for range tokens { // closes
	}
}

func TestAnAnswerThatHasComeIsReadToItsEnd(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	client, streams, _ := asked(t, ctx, "r1")
	for n := range 1000 {
		client.answers.offer(token("r1", n, "x"))
	}
	client.answers.offer(final("r1", strings.Repeat("x", 1000)))
	length := 0
	for text, err := range streams[0].Text() {
		require.NoError(t, err)
		cancel() // in the middle of reading
		length += len(text)
	}
	assert.Equal(t, 1000, length)
	assert.Len(t, read(streams[0]), 1000, "nor does it matter to a reader that comes now")
}

func TestWhatIsOpenWhenRunReturnsEndsWithIt(t *testing.T) {
	_, streams, endRun := asked(t, t.Context(), "r1")
	why := errors.New("why")
	endRun(why)
	_, err := streams[0].Wait()
	assert.ErrorIs(t, err, ErrStopped)
	assert.ErrorIs(t, err, why)

	ctx, cancel := context.WithCancel(t.Context())
	_, streams, endRun = asked(t, ctx, "r1")
	cancel()
	endRun(nil)
	_, err = streams[0].Wait()
	assert.ErrorIs(t, err, context.Canceled, "the reader's own reason comes first")
}

func TestAQuestionThatIsNotOutYetOutlivesARun(t *testing.T) {
	client, streams, _ := asked(t, t.Context(), "out")
	waiting := newStream(t.Context(), client, Question{RequestID: "waiting"})
	require.True(t, client.answers.add(waiting))
	client.answers.giveUp()
	_, err := streams[0].Wait()
	assert.ErrorIs(t, err, ErrStopped)
	offerAll(client, final("waiting", "answered in the next Run"))
	message, err := waiting.Wait()
	require.NoError(t, err)
	assert.Equal(t, "answered in the next Run", message.Text)
}

func TestAnEndlessAnswerIsEnded(t *testing.T) {
	client, streams, _ := asked(t, t.Context(), "many", "long", "laden")
	for n := range maxTokens + 1 {
		client.answers.offer(token("many", n, ""))
	}
	client.answers.offer(token("long", 0, strings.Repeat("x", maxBytes+1)))
	laden := map[string]json.RawMessage{"x": make(json.RawMessage, maxBytes/2)}
	for n := range 3 {
		client.answers.offer(events.AIToken{RequestID: "laden", Index: n, Extra: laden})
	}
	for _, s := range streams {
		_, err := s.Wait()
		assert.ErrorIs(t, err, ErrTooLong)
	}
	count := 0
	for range streams[0].Tokens() {
		count++
	}
	assert.Equal(t, maxTokens, count, "what was within the limit is whole")
}

func TestTextIsTheAnswerPieceByPiece(t *testing.T) {
	client, streams, _ := asked(t, t.Context(), "whole", "failed", "no tokens", "left early")
	offerAll(client,
		token("whole", 0, "a"), token("whole", 1, "b"), final("whole", "ab"),
		token("failed", 0, "a"), events.AIError{RequestID: "failed", Message: "broken"},
		final("no tokens", "all at once"),
		token("left early", 0, "a"), token("left early", 1, "b"),
	)
	pieces := func(s *Stream) (texts []string, failure error) {
		for text, err := range s.Text() {
			if err != nil {
				return texts, err
			}
			texts = append(texts, text)
		}
		return texts, nil
	}
	texts, err := pieces(streams[0])
	require.NoError(t, err)
	assert.Equal(t, []string{"a", "b"}, texts)

	texts, err = pieces(streams[1])
	assert.Equal(t, []string{"a"}, texts)
	assert.EqualError(t, err, (&events.AIError{Message: "broken"}).Error())

	texts, err = pieces(streams[2])
	require.NoError(t, err)
	assert.Equal(t, []string{"all at once"}, texts)

	for text := range streams[3].Text() {
		assert.Equal(t, "a", text)
		break
	}
}
