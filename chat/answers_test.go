package chat

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// asking starts an Ask, which may have to wait.
func asking(ctx context.Context, client *Client, request string) <-chan *Stream {
	asked := make(chan *Stream, 1)
	go func() { // ends when the question is written
		s, err := client.Ask(ctx, Question{UserID: user, RequestID: request, MessageID: "m-" + request})
		if err == nil {
			asked <- s
		}
		close(asked)
	}()
	return asked
}

// posted is a message of a user in the room, as the server sends it.
func posted(messageID, userID string) events.Event {
	return events.ChatMessage{ChatID: room1, MessageID: messageID, UserID: events.StringID(userID), Text: "hi"}
}

// The backend leaves requestId out and does not stop after an abort.
func TestAsk_waitsForAbandonedAnswer(t *testing.T) {
	for name, end := range map[string]string{
		"the final message": finalFrame("", "OLD-0 OLD-1 "),
		"an error":          `42["ai:error",{"message":"aborted"}]`,
	} {
		t.Run(name, func(t *testing.T) {
			onWire(t, Config{}, func(t *testing.T, w wire, client *Client, l *link) {
				old := l.ask(t, client, "old")
				l.send(tokenFrame("", 0, "OLD-0 "))
				synctest.Wait()
				old.Abort("")
				<-l.out
				time.Sleep(200 * time.Millisecond)
				next := asking(t.Context(), client, "new")
				l.send(tokenFrame("", 1, "OLD-1 "))
				synctest.Wait()
				assert.Empty(t, l.out, "the answer to OLD has not ended")
				l.send(end)
				assert.Contains(t, <-l.out, "m-new")
				s := <-next
				l.send(tokenFrame("", 0, "NEW-0 "), tokenFrame("", 1, "NEW-1 "), finalFrame("", "NEW-0 NEW-1 "))
				message, err := s.Wait()
				require.NoError(t, err)
				assert.Equal(t, "NEW-0 NEW-1 ", message.Text)
				assert.Equal(t, "NEW-0 NEW-1 ", read(s))
			})
		})
	}
}

// The ctx of a question has ended, but its stream has not ended yet.
func TestAsk_waitsForCancelledQuestion(t *testing.T) {
	onWire(t, Config{}, func(t *testing.T, w wire, client *Client, l *link) {
		ctx, cancel := context.WithCancel(t.Context())
		<-asking(ctx, client, "old")
		<-l.out
		l.send(tokenFrame("", 0, "OLD-0 "))
		synctest.Wait()
		cancel()
		next := asking(t.Context(), client, "new")
		assert.Contains(t, <-l.out, "ai:abort")
		synctest.Wait()
		assert.Empty(t, l.out)
		l.send(finalFrame("", "OLD-0 "))
		assert.Contains(t, <-l.out, "m-new")
		l.send(finalFrame("", "NEW"))
		message, err := (<-next).Wait()
		require.NoError(t, err)
		assert.Equal(t, "NEW", message.Text)
	})
}

func TestAbandonedTimeout_limitsWaitOfAsk(t *testing.T) {
	onWire(t, Config{}, func(t *testing.T, w wire, client *Client, l *link) {
		old := l.ask(t, client, "old")
		l.send(tokenFrame("", 0, "OLD"))
		synctest.Wait()
		old.Abort("")
		<-l.out
		start := time.Now()

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := client.Ask(ctx, Question{UserID: user})
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		var failed *conn.SendError
		require.ErrorAs(t, err, &failed)
		assert.Equal(t, "waiting for another answer in the chat", failed.State)
		assert.False(t, failed.MaybeSent)

		s := l.ask(t, client, "new")
		assert.InDelta(t, DefaultAbandonedTimeout, time.Since(start), float64(time.Millisecond))
		l.send(tokenFrame("", 0, "NEW"), finalFrame("", "NEW"))
		_, err = s.Wait()
		require.NoError(t, err)
		assert.Equal(t, "NEW", read(s))
	})
}

// An abandoned answer that continues to arrive does not let Ask wait longer,
// and the next token of it ends the stream.
func TestAbandonedTimeout_limitsWaitForContinuingAnswer(t *testing.T) {
	onWire(t, Config{}, func(t *testing.T, w wire, client *Client, l *link) {
		old := l.ask(t, client, "old")
		l.send(tokenFrame("", 0, "OLD"))
		synctest.Wait()
		old.Abort("")
		<-l.out
		start := time.Now()
		next := asking(t.Context(), client, "new")
		index := 1
		for ; len(l.out) == 0; index++ {
			l.send(tokenFrame("", index, "OLD"))
			time.Sleep(time.Second)
			synctest.Wait()
		}
		assert.Contains(t, <-l.out, "m-new")
		assert.Equal(t, DefaultAbandonedTimeout, time.Since(start))
		s := <-next
		l.send(tokenFrame("", index, "OLD"))
		_, err := s.Wait()
		assert.ErrorIs(t, err, ErrAmbiguous)
		assert.Empty(t, read(s))
	})
}

func TestAsk_stopsWaitingOnClose(t *testing.T) {
	onWire(t, Config{Stream: StreamConfig{AbandonedTimeout: -1}}, func(t *testing.T, w wire, client *Client, l *link) {
		old := l.ask(t, client, "old")
		l.send(tokenFrame("", 0, "OLD"))
		synctest.Wait()
		old.Abort("")
		result := make(chan error, 1)
		go func() { // ends with Close
			_, err := client.Ask(t.Context(), Question{UserID: user})
			result <- err
		}()
		time.Sleep(time.Hour)
		assert.Empty(t, result)
		client.Close()
		assert.ErrorIs(t, <-result, conn.ErrClosed)
	})
}

// Until the backend has left a request id out, no question waits for another.
func TestAsk_doesNotWaitForBackendWithRequestIDs(t *testing.T) {
	onWire(t, Config{}, func(t *testing.T, w wire, client *Client, l *link) {
		for n := range 3 {
			request := fmt.Sprint("r", n)
			start := time.Now()
			s := l.ask(t, client, request)
			assert.Zero(t, time.Since(start))
			l.send(`42["chat:message",{"chatId":"room-1","messageId":"x","userId":"bob","text":"?","createdAt":"2026-01-02T03:04:05Z"}]`)
			l.send(tokenFrame(request, 5, "early"), tokenFrame("r0", 0, "a"))
			synctest.Wait()
			s.Abort("")
			<-l.out
		}
	})
}

// Each of these events shows that two answers are mixed.
func TestStream_failsWithErrAmbiguousOnSignOfMixedAnswers(t *testing.T) {
	for name, tc := range map[string]struct {
		before []events.Event
		sign   events.Event
		text   string // of the stream
	}{
		"an index again with other text":          {[]events.Event{token("", 0, "a"), token("", 1, "b")}, token("", 0, "x"), "ab"},
		"an index out of turn":                    {[]events.Event{token("", 0, "a")}, token("", 2, "x"), "a"},
		"an index out of turn at the beginning":   {nil, token("", 3, "x"), ""},
		"a final text of other tokens":            {[]events.Event{token("", 0, "a")}, final("", "xa"), "a"},
		"a final text that is too short":          {[]events.Event{token("", 0, "a"), token("", 1, "b")}, final("", "a"), "ab"},
		"a token after another's question":        {[]events.Event{token("", 0, "a"), posted("m9", "bob")}, token("", 1, "b"), "a"},
		"a final message after another's":         {[]events.Event{posted("m9", "bob")}, final("", "x"), ""},
		"an error after another's question":       {[]events.Event{posted("m9", "bob")}, events.AIError{Message: "failed"}, ""},
		"an id out of the contract's types":       {[]events.Event{events.ChatMessage{MessageID: "m9", UserID: events.IntID(7)}}, token("", 0, "x"), ""},
		"another's question with its own request": {[]events.Event{events.ChatMessage{ChatID: room1, RequestID: "r9", UserID: events.StringID("bob")}}, token("", 0, "x"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			ss, streams := inFlight(t, "r1")
			ss.offerAll(tc.before...)
			assert.False(t, streams[0].Progress().Ended)
			ss.offerAll(tc.sign)
			_, err := streams[0].Wait()
			assert.ErrorIs(t, err, ErrAmbiguous)
			assert.Equal(t, tc.text, read(streams[0]))
			assert.Positive(t, ss.others, "its own answer may still arrive")
		})
	}
}

// None of these events is a sign of another answer.
func TestStream_acceptsHarmlessEventsWithoutRequestID(t *testing.T) {
	for name, harmless := range map[string][]events.Event{
		"a repeated token":                {token("", 0, "a")},
		"a status":                        {events.AIProcessing{Status: events.StatusWorking}},
		"the question itself":             {events.ChatMessage{ChatID: room1, MessageID: "m1", UserID: events.StringID("renamed")}},
		"a message of the same user":      {posted("new id", "u1")},
		"a question in another room":      {events.ChatMessage{ChatID: room2, MessageID: "m9", UserID: events.StringID("bob")}},
		"an answer in another room":       {events.AIToken{ChatID: room2, Index: 7}, events.AIMessage{ChatID: room2, Text: "x"}},
		"an answer with its request id":   {token("r9", 7, "x"), final("r9", "x")},
		"the request id of this question": {events.ChatMessage{ChatID: room1, RequestID: "r1", UserID: events.StringID("bob")}},
	} {
		t.Run(name, func(t *testing.T) {
			ss, _ := newStreams(StreamConfig{})
			s := newStream(t.Context(), ss, Question{RequestID: "r1", MessageID: "m1", UserID: user, ChatID: room1})
			require.True(t, ss.add(s))
			s.sending(1)
			s.begin()
			ss.offerAll(token("", 0, "a"))
			ss.offerAll(harmless...)
			ss.offerAll(events.AIToken{ChatID: room1, Index: 1, Token: " b "}, final("", "a b"))
			assert.Equal(t, "a b ", read(s))
			_, err := s.Wait()
			assert.NoError(t, err)
		})
	}
}

// Tokens that were lost with a session are not a sign, because the tokens
// before show whose answer it is.
func TestStream_continuesWithoutRequestIDAfterLostSession(t *testing.T) {
	ss, s := open(t, StreamConfig{})
	ss.offerAll(token("", 0, "a"))
	ss.offer(token("", 3, "d"), 2)
	ss.offer(final("", "abcd"), 2)
	_, err := s.Wait()
	require.NoError(t, err)
	assert.Equal(t, "abcd", read(s))

	for name, event := range map[string]events.Event{"a token": token("", 3, "d"), "a final text": final("", "xbcd")} {
		ss, s = open(t, StreamConfig{})
		if name == "a final text" {
			ss.offerAll(token("", 0, "a"))
		}
		ss.offer(event, 2)
		_, err = s.Wait()
		assert.ErrorIs(t, err, ErrAmbiguous, name)
	}
}
