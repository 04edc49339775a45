package chat

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed67206a74/parley/events"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestStream_failsWithErrTooLongBeyondSizeLimits(t *testing.T) {
	ss, streams := inFlight(t, "many", "long", "laden")
	for n := range maxTokens + 1 {
		ss.offerAll(token("many", n, ""))
	}
	ss.offerAll(token("long", 0, strings.Repeat("x", maxBytes+1)))
	laden := map[string]json.RawMessage{"x": make(json.RawMessage, maxBytes/2)}
	for n := range 3 {
		ss.offerAll(events.AIToken{RequestID: "laden", Index: n, Extra: laden})
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

func TestStream_reordersEarlyTokens(t *testing.T) {
	ss, s := open(t, StreamConfig{})
	ss.offerAll(token("r1", 2, "c"), token("r1", 1, "b"), token("r1", 2, "again"), final("r1", "abcd"))
	assert.False(t, s.Progress().Ended, "something is missing still")
	ss.offerAll(token("r1", 0, "a"))
	assert.Equal(t, "abc", read(s))
	message, err := s.Wait()
	require.NoError(t, err)
	assert.Equal(t, "abcd", message.Text, "what a backend makes of its tokens is its own affair")
}

func TestFillGap_takesMissingTextFromFinalMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ss, s := open(t, StreamConfig{})
		ss.offerAll(token("r1", 0, "a"), token("r1", 2, "c"))
		time.Sleep(10 * time.Second) // longer than GapTimeout
		ss.offerAll(token("r1", 3, "d"), final("r1", "abcd"))
		assert.Equal(t, "abcd", read(s))
		assert.Equal(t, 2, s.Progress().Tokens, "the rest is one token")

		ss, s = open(t, StreamConfig{})
		ss.offerAll(token("r1", 0, "a"), token("r1", 2, "c"), final("r1", "something else"))
		_, err := s.Wait()
		var gap *GapError
		require.ErrorAs(t, err, &gap)
		assert.Equal(t, GapError{From: 1, To: 2}, *gap)
		assert.EqualError(t, err, "chat: tokens 1 to 1 are missing")
	})
}

func TestFailOnGap_returnsGapErrorAfterGapTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ss, s := open(t, StreamConfig{OnGap: FailOnGap, GapTimeout: time.Second})
		start := time.Now()
		ss.offerAll(token("r1", 0, "a"), token("r1", 5, "f"))
		_, err := s.Wait()
		assert.Equal(t, &GapError{From: 1, To: 5}, err)
		assert.Equal(t, time.Second, time.Since(start))
		assert.Equal(t, "a", read(s))
	})
}

func TestReorderLimit_endsWaitForGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ss, s := open(t, StreamConfig{ReorderLimit: 2, OnGap: FailOnGap})
		ss.offerAll(token("r1", 1, ""), token("r1", 2, ""), token("r1", 3, ""))
		_, err := s.Wait()
		assert.Equal(t, &GapError{From: 0, To: 1}, err)

		ss, s = open(t, StreamConfig{ReorderLimit: 2})
		for n := range 100 {
			ss.offerAll(token("r1", n+1, "x"))
		}
		assert.LessOrEqual(t, len(s.answer.early), 3)
		ss.offerAll(final("r1", strings.Repeat("x", 101)))
		assert.Len(t, read(s), 101)
	})
}

func TestGapPolicy_appliesToTokensLostWithSession(t *testing.T) {
	ss, s := open(t, StreamConfig{})
	ss.offerAll(token("r1", 0, "a"), token("r1", 1, "b"))
	ss.offer(final("r1", "abcd"), 3)
	assert.Equal(t, "abcd", read(s))

	ss, s = open(t, StreamConfig{OnGap: FailOnGap})
	ss.offerAll(token("r1", 0, "a"))
	ss.offer(final("r1", "ab"), 2)
	_, err := s.Wait()
	assert.EqualError(t, err, "chat: tokens from 1 on are missing")

	ss, s = open(t, StreamConfig{OnGap: FailOnGap})
	ss.offerAll(token("r1", 0, "a"), final("r1", "ab"))
	_, err = s.Wait()
	assert.NoError(t, err, "nothing was lost within one epoch: the text is the backend's choice")
}

// The stream has already failed, so a later token changes nothing.
func TestFailOnGap_keepsGapErrorWhenMissingTokenArrives(t *testing.T) {
	for range 100 {
		ss, s := open(t, StreamConfig{ReorderLimit: 1, OnGap: FailOnGap})
		ss.offerAll(token("r1", 1, "b"), token("r1", 2, "c"), token("r1", 0, "a"), final("r1", "abc"))
		_, err := s.Wait()
		assert.Equal(t, &GapError{From: 0, To: 1}, err)
		assert.Empty(t, read(s))
	}
}

func TestGapTimeout_restartsForEachGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ss, s := open(t, StreamConfig{OnGap: FailOnGap, GapTimeout: time.Second})
		start := time.Now()
		ss.offerAll(token("r1", 1, "b"))
		time.Sleep(900 * time.Millisecond)
		ss.offerAll(token("r1", 0, "a"), token("r1", 3, "d")) // one gap less, one more
		time.Sleep(900 * time.Millisecond)
		ss.offerAll(token("r1", 2, "c"), token("r1", 5, "f"))
		_, err := s.Wait()
		assert.Equal(t, &GapError{From: 4, To: 5}, err)
		assert.Equal(t, 2800*time.Millisecond, time.Since(start))
		assert.Equal(t, "abcd", read(s))
	})
}

func TestGapTimeout_delaysFinalMessageForMissingTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ss, s := open(t, StreamConfig{})
		start := time.Now()
		ss.offerAll(token("r1", 1, "b"), final("r1", "ab"))
		time.Sleep(time.Second)
		ss.offerAll(token("r1", 0, "a"))
		_, err := s.Wait()
		require.NoError(t, err)
		assert.Equal(t, time.Second, time.Since(start))
		assert.Equal(t, 2, s.Progress().Tokens, "both as they came")

		ss, s = open(t, StreamConfig{})
		ss.offerAll(token("r1", 1, "b"), final("r1", "ab"))
		_, err = s.Wait()
		require.NoError(t, err)
		assert.Equal(t, 1, s.Progress().Tokens, "or bridged, when it does not come")
		assert.Equal(t, 1*time.Second+DefaultGapTimeout, time.Since(start))
	})
}

func TestReorderLimit_isUnlimitedIfNegative(t *testing.T) {
	ss, s := open(t, StreamConfig{ReorderLimit: -1, GapTimeout: -1, OnGap: FailOnGap})
	for n := range 5000 {
		ss.offerAll(token("r1", 5000-n, "x"))
	}
	ss.offerAll(token("r1", 0, "x"), final("r1", ""))
	assert.Len(t, read(s), 5001)
}

// The limit counts all that the events carry.
func TestStream_boundsMemoryWithoutReader(t *testing.T) {
	heavy := make(json.RawMessage, 1<<20)
	for name, event := range map[string]func(n int) events.Event{
		"tool calls":   func(int) events.Event { return events.AIToolCall{RequestID: "r1", Args: heavy} },
		"tool results": func(int) events.Event { return events.AIToolResult{RequestID: "r1", Result: heavy} },
		"statuses":     func(int) events.Event { return events.AIProcessing{RequestID: "r1", Reason: string(heavy)} },
		"extra fields": func(int) events.Event {
			return events.AIProcessing{RequestID: "r1", Extra: map[string]json.RawMessage{"x": heavy}}
		},
		"tokens":       func(n int) events.Event { return token("r1", n, string(heavy)) },
		"early tokens": func(n int) events.Event { return token("r1", n+1, string(heavy)) },
	} {
		t.Run(name, func(t *testing.T) {
			ss, s := open(t, StreamConfig{ReorderLimit: -1})
			for n := range 32 {
				ss.offerAll(event(n))
			}
			_, err := s.Wait()
			assert.ErrorIs(t, err, ErrTooLong)
			assert.LessOrEqual(t, s.answer.bytes, maxBytes)
		})
	}
	t.Run("many small events", func(t *testing.T) {
		ss, s := open(t, StreamConfig{})
		for range maxTokens + 1 {
			ss.offerAll(events.AIProcessing{RequestID: "r1"})
		}
		_, err := s.Wait()
		assert.ErrorIs(t, err, ErrTooLong)
	})
}

// Tokens in the worst order take no more time for each token than in order.
func TestReorderLimit_putsManyEarlyTokensInOrder(t *testing.T) {
	const n = 32_000
	a := assembly{limit: -1}
	for _, first := range []int{1, 0} { // the odd indices, then the even ones
		for index := first; index < n; index += 2 {
			a.add(&events.AIToken{Index: index, Token: "x"})
		}
	}
	assert.Equal(t, n, a.tokens.len)
	assert.Empty(t, a.early)
	assert.Nil(t, a.gap())
	for i := range n {
		require.Equal(t, i, a.tokens.at(i).Index)
	}
}
