package chat

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed67206a74/parley/events"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestText_readsToEndAfterContextEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ss, _ := newStreams(StreamConfig{})
	s := ss.ask(t, ctx, "r1")
	for n := range 1000 {
		ss.offerAll(token("r1", n, "x"))
	}
	ss.offerAll(final("r1", strings.Repeat("x", 1000)))
	length := 0
	for text, err := range s.Text() {
		require.NoError(t, err)
		cancel() // in the middle of reading
		length += len(text)
	}
	assert.Equal(t, 1000, length)
	assert.Len(t, read(s), 1000, "nor does it matter to a reader that comes now")
}

func TestText_yieldsTokenTextsAndError(t *testing.T) {
	ss, streams := inFlight(t, "whole", "failed", "no tokens", "left early")
	ss.offerAll(
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

func TestStream_Events_yieldsAllEventsInOrder(t *testing.T) {
	ss, s := open(t, StreamConfig{})
	working := events.AIProcessing{RequestID: "r1", Status: events.StatusWorking}
	tool := events.AIToolCall{RequestID: "r1", CallID: "c1"}
	ss.offerAll(working, token("r1", 0, "a"), tool, token("r1", 1, "b"), final("r1", "ab"))
	var got []events.Event
	for event, err := range s.Events() {
		require.NoError(t, err)
		got = append(got, event)
	}
	assert.Equal(t, []events.Event{working, token("r1", 0, "a"), tool, token("r1", 1, "b"), final("r1", "ab")}, got)

	ss, s = open(t, StreamConfig{})
	ss.offerAll(events.AIError{RequestID: "r1", Message: "broken"})
	for event, err := range s.Events() {
		assert.Nil(t, event)
		assert.EqualError(t, err, "ai error: broken")
	}
}

func TestProgress_reportsTextStatusAndUsage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ss, s := open(t, StreamConfig{})
		assert.Equal(t, Progress{}, s.Progress())
		time.Sleep(3 * time.Second)
		working := events.AIProcessing{RequestID: "r1", Status: events.StatusWorking}
		ss.offerAll(working, token("r1", 0, "a"))
		time.Sleep(time.Second)
		ss.offerAll(token("r1", 1, "b"))
		want := Progress{Text: "ab", Tokens: 2, Status: working, FirstToken: 3 * time.Second}
		assert.Equal(t, want, s.Progress())
		ss.offerAll(events.AIMessage{RequestID: "r1", Text: "ab", Usage: &events.Usage{TotalTokens: 2}})
		want.Ended, want.Usage = true, &events.Usage{TotalTokens: 2}
		assert.Equal(t, want, s.Progress())
	})
}

func TestWait_returnsSameResultToAllCallers(t *testing.T) {
	ss, s := open(t, StreamConfig{})
	type ending struct {
		message events.AIMessage
		err     error
	}
	const readers = 20
	endings := make(chan ending, 2*readers)
	for range readers {
		go func() { // ends with the answer
			for range 2 {
				message, err := s.Wait()
				endings <- ending{message, err}
			}
		}()
	}
	ss.offerAll(token("r1", 0, "a"), final("r1", "a"))
	ss.offerAll(events.AIError{RequestID: "r1", Message: "late"})
	s.Abort("late")
	for range 2 * readers {
		assert.Equal(t, ending{final("r1", "a").(events.AIMessage), nil}, <-endings)
	}
}

func TestStream_acceptsFinalMessageWithoutTokens(t *testing.T) {
	ss, s := open(t, StreamConfig{OnGap: FailOnGap})
	ss.offerAll(final("r1", "all at once"))
	message, err := s.Wait()
	require.NoError(t, err)
	assert.Equal(t, "all at once", message.Text)
	assert.Empty(t, read(s))
	progress := s.Progress()
	assert.Positive(t, progress.FirstToken)
	assert.Equal(t, "", progress.Text)
}

// All tokens were lost with their session.
func TestStream_yieldsFinalTextAsOneTokenAfterLostSession(t *testing.T) {
	for _, policy := range []GapPolicy{FillGap, FailOnGap} {
		ss, s := open(t, StreamConfig{OnGap: policy})
		ss.offer(final("r1", "all at once"), 2)
		_, err := s.Wait()
		require.NoError(t, err)
		assert.Equal(t, "all at once", read(s))
		var text string
		for part, err := range s.Text() {
			require.NoError(t, err)
			text += part
		}
		assert.Equal(t, "all at once", text)
		assert.Equal(t, 1, s.Progress().Tokens)
	}
}

// Every reader gets the whole answer at any time, and none delays another or
// the connection's reader.
func TestStream_servesReadersIndependently(t *testing.T) {
	ss, s := open(t, StreamConfig{})
	stuck := s.Tokens() // is not read before the end
	quick := s.Tokens()
	for n := range 1000 {
		ss.offerAll(token("r1", n, "x"))
		assert.Equal(t, n, (<-quick).Index)
	}
	ss.offerAll(final("r1", strings.Repeat("x", 1000)))
	_, open := <-quick
	assert.False(t, open)
	n := 0
	for token := range stuck {
		assert.Equal(t, n, token.Index)
		n++
	}
	assert.Equal(t, 1000, n)
}

func TestStream_readsFromStartAfterBreak(t *testing.T) {
	ss, s := open(t, StreamConfig{})
	ss.offerAll(events.AIProcessing{RequestID: "r1"}, token("r1", 0, "a"), token("r1", 1, "b"))
	for range 3 {
		for range s.Events() {
			break
		}
		for range s.Text() {
			break
		}
	}
	n := 0
	for event := range s.Events() {
		if n++; n == 2 {
			assert.Equal(t, token("r1", 0, "a"), event)
			break
		}
	}
	ss.offerAll(final("r1", "ab"))
	assert.Equal(t, "ab", read(s))
}
