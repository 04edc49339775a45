package chat

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed67206a74/parley/events"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// nameless lets the client learn that the backend leaves requestId out.
func (l *link) nameless(t *testing.T, client *Client) {
	t.Helper()
	s := l.ask(t, client, "first")
	l.send(tokenFrame("", 0, "a"), finalFrame("", "a"))
	_, err := s.Wait()
	require.NoError(t, err)
}

// asksAfter asks a question, which must be sent only after a frame has ended
// the other answer. It is then answered.
func (l *link) asksAfter(t *testing.T, client *Client, frame string) {
	t.Helper()
	next := asking(t.Context(), client, "new")
	synctest.Wait()
	assert.Empty(t, l.out)
	l.send(frame)
	assert.Contains(t, <-l.out, "m-new")
	l.send(finalFrame("", "NEW"))
	message, err := (<-next).Wait()
	require.NoError(t, err)
	assert.Equal(t, "NEW", message.Text)
}

// A message that was not sent by Ask may be answered as well.
func TestAsk_waitsForAnswerToSentMessage(t *testing.T) {
	for name, send := range map[string]func(ctx context.Context, client *Client) error{
		"SendMessage": func(ctx context.Context, client *Client) error { return client.SendMessage(ctx, message("m1")) },
		"Deliver": func(ctx context.Context, client *Client) error {
			_, err := client.Deliver(ctx, message("m1"))
			return err
		},
		"Emit": func(ctx context.Context, client *Client) error {
			return client.Emit(ctx, "user:message", message("m1"))
		},
		"DeliverEvent": func(ctx context.Context, client *Client) error {
			_, err := client.DeliverEvent(ctx, "user:message", message("m1"))
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			onWire(t, Config{}, func(t *testing.T, w wire, client *Client, l *link) {
				l.nameless(t, client)
				sent := make(chan error, 1)
				go func() { sent <- send(t.Context(), client) }() // ends when it is acknowledged
				if frame := <-l.out; strings.HasPrefix(frame, "420") {
					l.send(`430[]`)
				}
				require.NoError(t, <-sent)
				next := asking(t.Context(), client, "new")
				l.send(`42["chat:message",{"chatId":"room-1","messageId":"m1","userId":"u1","text":"hi","createdAt":"2026-01-02T03:04:05Z"}]`)
				l.send(tokenFrame("", 0, "MESSAGE"))
				synctest.Wait()
				assert.Empty(t, l.out)
				l.send(finalFrame("", "MESSAGE"))
				assert.Contains(t, <-l.out, "m-new")
				l.send(finalFrame("", "NEW"))
				message, err := (<-next).Wait()
				require.NoError(t, err)
				assert.Equal(t, "NEW", message.Text)
			})
		})
	}
}

// A message that is sent before the first question may be answered slowly.
func TestAsk_waitsForAnswerToMessageBeforeFirstQuestion(t *testing.T) {
	onWire(t, Config{}, func(t *testing.T, w wire, client *Client, l *link) {
		require.NoError(t, client.SendMessage(t.Context(), message("m1")))
		<-l.out
		for n := range 5 {
			time.Sleep(2 * time.Second)
			l.send(tokenFrame("", n, "MESSAGE"))
			synctest.Wait()
		}
		l.asksAfter(t, client, finalFrame("", strings.Repeat("MESSAGE", 5)))
	})
}

// Two answers alternate. The first may be of any chat, so a token is a sign of
// both.
func TestAsk_waitsForEachAlternatingAnswer(t *testing.T) {
	onWire(t, Config{}, func(t *testing.T, w wire, client *Client, l *link) {
		require.NoError(t, client.SendMessage(t.Context(), message("m1")))
		<-l.out
		old := l.ask(t, client, "old")
		l.send(tokenFrame("", 0, "MESSAGE"))
		_, err := old.Wait()
		require.ErrorIs(t, err, ErrAmbiguous)
		<-l.out // the abort
		for n := range 4 {
			time.Sleep(DefaultAbandonedTimeout / 3)
			l.send(tokenFrame("", n, "OLD"), tokenFrame("", n+1, "MESSAGE"))
		}
		l.send(finalFrame("", strings.Repeat("MESSAGE", 5)))
		l.asksAfter(t, client, finalFrame("", strings.Repeat("OLD", 4)))
	})
}

// A message that was not sent is not answered.
func TestAsk_doesNotWaitForUnsentMessage(t *testing.T) {
	onWire(t, Config{}, func(t *testing.T, w wire, client *Client, l *link) {
		l.nameless(t, client)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.Error(t, client.SendMessage(ctx, message("m1")))
		m := message("m2")
		m.Parts = []events.Part{{Value: func() {}}}
		require.Error(t, client.SendMessage(t.Context(), m))
		start := time.Now()
		l.ask(t, client, "new").Abort("")
		assert.Zero(t, time.Since(start))
	})
}

// A message before the first question was not sent.
func TestAsk_expectsNoAnswerToUnsentMessageBeforeFirstQuestion(t *testing.T) {
	onWire(t, Config{}, func(t *testing.T, w wire, client *Client, l *link) {
		m := message("m1")
		m.Parts = []events.Part{{Value: func() {}}}
		require.Error(t, client.SendMessage(t.Context(), m))
		s := l.ask(t, client, "first")
		l.send(tokenFrame("", 0, "a"), finalFrame("", "a"))
		message, err := s.Wait()
		require.NoError(t, err)
		assert.Equal(t, "a", message.Text)
	})
}

// Without a stream, an answer to a message, or a subscriber, events of answers
// are not decoded.
func TestStreams_areNotActiveAfterMessageBeforeFirstQuestion(t *testing.T) {
	onWire(t, Config{}, func(t *testing.T, w wire, client *Client, l *link) {
		require.NoError(t, client.SendMessage(t.Context(), message("m1")))
		<-l.out
		s := l.ask(t, client, "r1")
		time.Sleep(DefaultAbandonedTimeout + time.Second)
		l.send(tokenFrame("r1", 0, "a"), finalFrame("r1", "a"))
		_, err := s.Wait()
		require.NoError(t, err)
		assert.False(t, client.streams.active())
	})
}

// Another member asks in the room, before or during the question.
func TestAsk_waitsForAnswerToOtherMember(t *testing.T) {
	const question = `42["chat:message",{"chatId":"room-1","messageId":"m9","userId":"bob","text":"?","createdAt":"2026-01-02T03:04:05Z"}]`
	onWire(t, Config{}, func(t *testing.T, w wire, client *Client, l *link) {
		l.nameless(t, client)
		l.send(question)
		synctest.Wait()
		next := asking(t.Context(), client, "new")
		l.send(tokenFrame("", 0, "BOB"), tokenFrame("", 1, "BOB"))
		synctest.Wait()
		assert.Empty(t, l.out)
		l.send(finalFrame("", "BOBBOB"))
		assert.Contains(t, <-l.out, "m-new")
		s := <-next
		l.send(tokenFrame("", 0, "NEW"), question, tokenFrame("", 1, "whose?"))
		_, err := s.Wait()
		assert.ErrorIs(t, err, ErrAmbiguous)
		assert.Equal(t, "NEW", read(s))
	})
	// The first question of a client may come after another member's as well.
	onWire(t, Config{}, func(t *testing.T, w wire, client *Client, l *link) {
		l.send(question)
		s := l.ask(t, client, "first")
		l.send(finalFrame("", "BOB"))
		_, err := s.Wait()
		assert.ErrorIs(t, err, ErrAmbiguous)
	})
	// An answer that has begun is followed, although its question is unknown.
	onWire(t, Config{}, func(t *testing.T, w wire, client *Client, l *link) {
		l.nameless(t, client)
		l.send(tokenFrame("", 0, "BOB"))
		synctest.Wait()
		next := asking(t.Context(), client, "new")
		synctest.Wait()
		assert.Empty(t, l.out)
		l.send(finalFrame("", "BOB"))
		assert.Contains(t, <-l.out, "m-new")
		(<-next).Abort("")
	})
}

// The rooms of a client are independent, and their ids match by their text.
func TestAsk_waitsOnlyInRoomOfOtherAnswer(t *testing.T) {
	ss, _ := newStreams(StreamConfig{})
	ss.offerAll(events.AIToken{ChatID: events.IntID(42)})
	for chat, waits := range map[string]bool{"42": true, "43": false, "": true} {
		fewer, _ := ss.nextOther(chat)
		assert.Equal(t, waits, fewer != nil, chat)
	}
	ss.offerAll(events.AIMessage{ChatID: events.StringID("42")})
	fewer, _ := ss.nextOther("42")
	assert.Nil(t, fewer)
	assert.Empty(t, ss.byChat)

	s := newStream(t.Context(), ss, Question{RequestID: "r1", ChatID: events.StringID("42")})
	require.True(t, ss.add(s))
	s.sending(1)
	s.begin()
	ss.offerAll(events.AIMessage{ChatID: events.IntID(42), Text: "x"})
	message, err := s.Wait()
	require.NoError(t, err)
	assert.Equal(t, "x", message.Text)
}

// A hostile server cannot fill the memory with rooms and messages.
func TestStreams_boundsOtherAnswers(t *testing.T) {
	ss, _ := newStreams(StreamConfig{})
	for n := range 10 * maxOthers {
		ss.offerAll(events.ChatMessage{ChatID: events.IntID(int64(n)), MessageID: fmt.Sprint(n)})
		assert.LessOrEqual(t, ss.others, maxOthers)
	}
	ss.offerAll(events.ChatMessage{ChatID: events.StringID(strings.Repeat("x", maxChatID+1))})
	assert.LessOrEqual(t, len(ss.byChat), maxOthers+1)
	s := ss.ask(t, t.Context(), "r1")
	ss.offerAll(token("", 0, "whose?"))
	_, err := s.Wait()
	assert.ErrorIs(t, err, ErrAmbiguous, "no other is forgotten")
}

// One question is found among many without a look at each of them.
func BenchmarkStreams_eventWithoutRequestID(b *testing.B) {
	ss, _ := newStreams(StreamConfig{})
	for n := range 10_000 {
		s := newStream(b.Context(), ss, Question{RequestID: fmt.Sprint(n), ChatID: events.IntID(int64(n % 5000))})
		ss.add(s)
		s.sending(1)
	}
	status := events.AIProcessing{ChatID: events.IntID(7)}
	for b.Loop() {
		ss.offer(status, 1)
	}
}
