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
	client.mu.Lock()
	client.life, endRun = life, func(err error) { end(stopped(err)) }
	client.mu.Unlock()
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

func TestTwoQuestionsMakeAnAnswerWithoutRequestIDAmbiguous(t *testing.T) {
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
func TestWhatIsLeftOfAnAnswerIsNotTakenForTheNext(t *testing.T) {
	client, streams, _ := asked(t, t.Context(), "begun")
	next := func(id string) *Stream {
		s := newStream(t.Context(), client, Question{RequestID: id, ChatID: client.cfg.ChatID})
		require.True(t, client.answers.add(s))
		s.watch()
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

// open returns one stream in flight of a client with the given limits.
func open(t *testing.T, limits Answers) (*Client, *Stream) {
	t.Helper()
	client, streams, _ := asked(t, t.Context())
	client.cfg.Answers = limits
	client.cfg.Answers.setDefaults()
	s := newStream(t.Context(), client, Question{RequestID: "r1", ChatID: client.cfg.ChatID})
	require.True(t, client.answers.add(s))
	s.watch()
	return client, append(streams, s)[0]
}

func TestEarlyTokensWaitForTheirTurn(t *testing.T) {
	client, s := open(t, Answers{})
	offerAll(client, token("r1", 2, "c"), token("r1", 1, "b"), token("r1", 2, "again"), final("r1", "abcd"))
	assert.False(t, s.Progress().Ended, "something is missing still")
	offerAll(client, token("r1", 0, "a"))
	assert.Equal(t, "abc", read(s))
	message, err := s.Wait()
	require.NoError(t, err)
	assert.Equal(t, "abcd", message.Text, "what a backend makes of its tokens is its own affair")
}

func TestAGapIsBridgedByTheFinalText(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, s := open(t, Answers{})
		offerAll(client, token("r1", 0, "a"), token("r1", 2, "c"))
		time.Sleep(10 * time.Second) // longer than it is waited for
		offerAll(client, token("r1", 3, "d"), final("r1", "abcd"))
		assert.Equal(t, "abcd", read(s))
		assert.Equal(t, 2, s.Progress().Tokens, "the rest is one token")

		client, s = open(t, Answers{})
		offerAll(client, token("r1", 0, "a"), token("r1", 2, "c"), final("r1", "something else"))
		_, err := s.Wait()
		var gap *GapError
		require.ErrorAs(t, err, &gap)
		assert.Equal(t, GapError{From: 1, To: 2}, *gap)
		assert.EqualError(t, err, "chat: tokens 1 to 1 are missing")
	})
}

func TestAGapIsReportedWhereThatWasChosen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, s := open(t, Answers{OnGap: FailOnGap, Gap: time.Second})
		start := time.Now()
		offerAll(client, token("r1", 0, "a"), token("r1", 5, "f"))
		_, err := s.Wait()
		assert.Equal(t, &GapError{From: 1, To: 5}, err)
		assert.Equal(t, time.Second, time.Since(start))
		assert.Equal(t, "a", read(s))
	})
}

func TestMoreEarlyTokensThanAllowedEndTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, s := open(t, Answers{Early: 2, OnGap: FailOnGap})
		offerAll(client, token("r1", 1, ""), token("r1", 2, ""), token("r1", 3, ""))
		_, err := s.Wait()
		assert.Equal(t, &GapError{From: 0, To: 1}, err)

		client, s = open(t, Answers{Early: 2})
		for n := range 100 {
			client.answers.offer(token("r1", n+1, "x"))
		}
		assert.LessOrEqual(t, len(s.answer.early), 3)
		client.answers.offer(final("r1", strings.Repeat("x", 101)))
		assert.Len(t, read(s), 101)
	})
}

func TestTokensThatWereLostWithASessionAreBridged(t *testing.T) {
	client, s := open(t, Answers{})
	offerAll(client, token("r1", 0, "a"), token("r1", 1, "b"))
	ctx, lose := context.WithCancel(t.Context())
	client.answers.online(ctx, false)
	lose()
	client.answers.online(t.Context(), false)
	offerAll(client, final("r1", "abcd"))
	assert.Equal(t, "abcd", read(s))

	client, s = open(t, Answers{OnGap: FailOnGap})
	offerAll(client, token("r1", 0, "a"))
	client.answers.online(t.Context(), false)
	offerAll(client, final("r1", "ab"))
	_, err := s.Wait()
	assert.EqualError(t, err, "chat: tokens from 1 on are missing")
}

func TestEachLimitHasItsOwnError(t *testing.T) {
	for name, tc := range map[string]struct {
		limits Answers
		want   error
		after  time.Duration
		play   func(c *Client, s *Stream)
	}{
		"no first token": {Answers{FirstToken: 10 * time.Second, Silence: 8 * time.Second}, ErrNoToken, 10 * time.Second, func(c *Client, s *Stream) {
			time.Sleep(5 * time.Second)
			c.answers.offer(events.AIProcessing{RequestID: "r1"})
		}},
		"silence": {Answers{FirstToken: 10 * time.Second, Silence: 8 * time.Second}, ErrStalled, 13 * time.Second, func(c *Client, s *Stream) {
			time.Sleep(5 * time.Second)
			c.answers.offer(token("r1", 0, "a"))
		}},
		"offline": {Answers{Offline: 20 * time.Second, Silence: 8 * time.Second}, ErrOffline, 25 * time.Second, func(c *Client, s *Stream) {
			ctx, lose := context.WithCancel(context.Background())
			c.answers.online(ctx, false)
			time.Sleep(5 * time.Second)
			lose()
		}},
		"offline, but not for long": {Answers{Offline: 20 * time.Second, Silence: 30 * time.Second}, ErrStalled, 45 * time.Second, func(c *Client, s *Stream) {
			ctx, lose := context.WithCancel(context.Background())
			c.answers.online(ctx, false)
			lose()
			time.Sleep(15 * time.Second)
			c.answers.online(context.Background(), true)
		}},
		"no limits": {Answers{FirstToken: -1, Silence: -1, Offline: -1, Gap: -1}, ErrAborted, time.Hour, func(c *Client, s *Stream) {
			c.answers.offer(token("r1", 1, "b"))
			ctx, lose := context.WithCancel(context.Background())
			c.answers.online(ctx, false)
			lose()
			time.Sleep(time.Hour)
			s.Abort("enough")
		}},
	} {
		synctest.Test(t, func(t *testing.T) {
			client, s := open(t, tc.limits)
			start := time.Now()
			tc.play(client, s)
			_, err := s.Wait()
			assert.ErrorIs(t, err, tc.want, name)
			assert.Equal(t, tc.after, time.Since(start), name)
		})
	}
}

func TestAnAbortByTheClientEndsTheStream(t *testing.T) {
	client, streams, _ := asked(t, t.Context(), "r1", "r2", "r3")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()                                             // there is no connection to wait for
	_ = client.Abort(ctx, events.Abort{RequestID: "r1"}) // one
	_, err := streams[0].Wait()
	assert.ErrorIs(t, err, ErrAborted)
	assert.False(t, streams[1].Progress().Ended)
	_ = client.Abort(ctx, events.Abort{ChatID: events.StringID("room-1")}) // all
	for _, s := range streams[1:] {
		_, err := s.Wait()
		assert.ErrorIs(t, err, ErrAborted)
	}
}

func TestEventsAreTheWholeAnswerInItsOrder(t *testing.T) {
	client, s := open(t, Answers{})
	working := events.AIProcessing{RequestID: "r1", Status: events.StatusWorking}
	tool := events.AIToolCall{RequestID: "r1", CallID: "c1"}
	offerAll(client, working, token("r1", 0, "a"), tool, token("r1", 1, "b"), final("r1", "ab"))
	var got []events.Event
	for event, err := range s.Events() {
		require.NoError(t, err)
		got = append(got, event)
	}
	assert.Equal(t, []events.Event{working, token("r1", 0, "a"), tool, token("r1", 1, "b"), final("r1", "ab")}, got)

	client, s = open(t, Answers{})
	offerAll(client, events.AIError{RequestID: "r1", Message: "broken"})
	for event, err := range s.Events() {
		assert.Nil(t, event)
		assert.EqualError(t, err, "ai error: broken")
	}
}

func TestProgressSaysHowFarTheAnswerIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, s := open(t, Answers{})
		assert.Equal(t, Progress{}, s.Progress())
		time.Sleep(3 * time.Second)
		working := events.AIProcessing{RequestID: "r1", Status: events.StatusWorking}
		offerAll(client, working, token("r1", 0, "a"))
		time.Sleep(time.Second)
		offerAll(client, token("r1", 1, "b"))
		want := Progress{Text: "ab", Tokens: 2, Status: working, FirstToken: 3 * time.Second}
		assert.Equal(t, want, s.Progress())
		offerAll(client, events.AIMessage{RequestID: "r1", Text: "ab", Usage: &events.Usage{TotalTokens: 2}})
		want.Ended, want.Usage = true, &events.Usage{TotalTokens: 2}
		assert.Equal(t, want, s.Progress())
	})
}
