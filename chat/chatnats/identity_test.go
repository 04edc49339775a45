package chatnats

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/require"
)

// forwardAll forwards all events, and returns the contents of the stream.
func forwardAll(t testing.TB, b *Bus, all ...events.Event) []events.Event {
	t.Helper()
	var topic bus.Topic[events.Event]
	f, err := Forward(wiretest.Context(t), b, topic.Source(), ForwardConfig{})
	require.NoError(t, err)
	for _, event := range all {
		topic.Publish(event)
	}
	topic.Close()
	require.NoError(t, f.Wait())
	var found []events.Event
	for _, msg := range stored(t, b) {
		event, _, err := decode(msg.Subject, msg.Header, msg.Data)
		require.NoError(t, err)
		found = append(found, event)
	}
	return found
}

func TestForward_storesDifferentEventsUnderEqualIDs(t *testing.T) {
	t.Parallel()
	chat, at := events.StringID("room"), time.Unix(1_700_000_000, 0).UTC()
	said := func(id, text string) events.Event {
		return events.ChatMessage{ChatID: chat, MessageID: id, UserID: events.IntID(1), Text: text, CreatedAt: at}
	}
	answer := func(request, id string) events.Event {
		return events.AIMessage{ChatID: chat, RequestID: request, MessageID: id, Role: "assistant", Text: "x", CreatedAt: at}
	}
	call := func(request, id, args string) events.Event {
		return events.AIToolCall{ChatID: chat, RequestID: request, CallID: id, ToolName: "t", Args: json.RawMessage(args)}
	}
	result := func(request, id string) events.Event {
		return events.AIToolResult{ChatID: chat, RequestID: request, CallID: id, ToolName: "t", Result: json.RawMessage(`1`)}
	}
	for name, all := range map[string][]events.Event{
		"empty ids": {
			said("", "one"), said("", "one"), answer("", ""), answer("", ""), answer("r", ""), answer("r", ""),
			call("", "", "1"), call("", "", "1"), result("", ""), result("", ""), token("room", "", 0), token("room", "", 0),
		},
		"slashes":        {answer("a/b", "c"), answer("a", "b/c"), call("a/b", "c", "1"), call("a", "b/c", "1"), result("a/b", "c"), result("a", "b/c")},
		"quotes":         {said(`"\u00e9"`, "x"), said("\u00e9", "x")},
		"edited message": {said("m", "one"), said("m", "two"), said("m", "three")},
		"another call":   {call("r", "c", "1"), call("r", "c", "2")},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, all, forwardAll(t, newBus(t, newServer(t).URL, Config{}), all...))
		})
	}
}

// answerOf returns the tokens of an answer.
func answerOf(request string, words ...string) (all []events.Event) {
	for i, word := range words {
		all = append(all, events.AIToken{ChatID: events.StringID("room"), RequestID: request, Index: i, Token: word})
	}
	return all
}

// textOf assembles an answer like a reader: a token replaces the token with its
// index, and removes the later ones.
func textOf(all []events.Event) string {
	var words []string
	for _, event := range all {
		token := event.(events.AIToken)
		words = append(words[:min(token.Index, len(words))], token.Token)
	}
	return strings.Join(words, "")
}

func TestForward_storesSecondAnswerUnderItsRequestID(t *testing.T) {
	t.Parallel()
	one := answerOf("r", "Yes,", " take", " two", ".")
	for name, two := range map[string][]events.Event{
		"from the first token": answerOf("r", "No,", " take", " two", " more", " than", " one."),
		"in the middle":        answerOf("r", "Yes,", " take", " one", ".", " Good", " luck."),
		"longer":               answerOf("r", "Yes,", " take", " two", ".", " Now."),
		"shorter":              answerOf("r", "Yes,", " wait", "."),
	} {
		t.Run(name, func(t *testing.T) {
			b := newBus(t, newServer(t).URL, Config{})
			var whole string
			for _, event := range two {
				whole += event.(events.AIToken).Token
			}
			found := forwardAll(t, b, append(append([]events.Event{}, one...), two...)...)
			require.Equal(t, whole, textOf(found))
			again := forwardAll(t, b, one...) // by another forwarder
			require.Equal(t, found, again, "the first answer is stored once")
		})
	}
}

func TestVersions_rememberBoundedly(t *testing.T) {
	t.Parallel()
	var a versions
	for i := range 3 * maxRequests {
		for _, index := range []int{0, maxAhead, 1 << 30, -1} {
			a.of("room", events.AIToken{RequestID: fmt.Sprint(i), Index: index, Token: "x"})
		}
	}
	require.LessOrEqual(t, len(a.requests), maxRequests)
	require.Len(t, a.order, len(a.requests))
	sum := 0
	for _, r := range a.requests {
		sum += len(r.tokens)
	}
	require.Equal(t, sum, a.tokens)
	require.LessOrEqual(t, a.tokens, maxTokens+maxAhead+1)
}

func TestBus_acceptsLongIDs(t *testing.T) {
	t.Parallel()
	b := newBus(t, newServer(t).URL, Config{})
	long := strings.Repeat("long/", 700)
	digits := strings.Repeat("7", 3000)
	var number events.ID
	require.NoError(t, number.UnmarshalJSON([]byte(digits)))
	var all []events.Event
	for _, id := range []events.ID{events.StringID(long), events.StringID(digits), number, events.StringID("\u00e9" + long)} {
		all = append(all, events.AIToken{ChatID: id, RequestID: long, TraceID: long, Token: "x"})
	}
	feed := subscribe(t, b, SubscribeConfig{Chats: []events.ID{events.StringID(digits), number}})
	deliveries := feed.Deliveries.Chan(wiretest.Context(t))
	running(t, feed.Run)
	require.Equal(t, all, forwardAll(t, b, all...))
	for _, event := range all[1:3] {
		d := wiretest.ReceiveFrom(t, deliveries)
		require.Equal(t, event, d.Event)
		require.Equal(t, event.Envelope().ChatID, d.ChatID)
	}
	done := make(chan bool, 1)
	require.NoError(t, RunWithLease(wiretest.Context(t), b, events.StringID(long), LeaseConfig{}, func(context.Context) error {
		done <- true
		return nil
	}))
	require.True(t, wiretest.ReceiveFrom(t, done))
	_, err := (&Remote{Bus: b, ChatID: events.StringID(long), Deadline: 100 * time.Millisecond}).Ask(wiretest.Context(t), ask)
	require.ErrorIs(t, err, ErrNoHolder)
	require.Zero(t, b.conn.Stats().Reconnects)
	require.True(t, b.conn.IsConnected())
}
