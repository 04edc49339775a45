package chattest_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestServer_sendsQuestionThenAnswerToRoom(t *testing.T) {
	server := start(t, chattest.Config{Answer: chattest.Say("I am fine.", 0)})
	c, heard := joined(t, server, "room-1", "ada")
	before := time.Now()
	ask(t, c, question("room-1", "r1"))

	in := events.Envelope{ChatID: events.StringID("room-1"), TraceID: "trace-r1", RequestID: "r1"}
	said := as[events.ChatMessage](t, wiretest.ReceiveFrom(t, heard))
	assert.WithinRange(t, said.CreatedAt, before, time.Now())
	assert.Equal(t, events.ChatMessage{
		ChatID: in.ChatID, TraceID: in.TraceID, RequestID: in.RequestID,
		MessageID: "m-r1", UserID: events.StringID("ada"), Text: "How are you?", CreatedAt: said.CreatedAt,
	}, said)
	for _, status := range []events.Status{events.StatusQueued, events.StatusWorking} {
		processing := as[events.AIProcessing](t, wiretest.ReceiveFrom(t, heard))
		assert.Equal(t, status, processing.Status)
		assert.Equal(t, in, processing.Envelope())
	}
	for i, word := range []string{"I ", "am ", "fine."} {
		token := as[events.AIToken](t, wiretest.ReceiveFrom(t, heard))
		assert.Equal(t, in, token.Envelope())
		assert.Equal(t, word, token.Token)
		assert.Equal(t, i, token.Index)
	}
	answer := as[events.AIMessage](t, wiretest.ReceiveFrom(t, heard))
	assert.WithinRange(t, answer.CreatedAt, before, time.Now())
	assert.Equal(t, events.AIMessage{
		ChatID: in.ChatID, TraceID: in.TraceID, RequestID: in.RequestID,
		MessageID: "m-r1-answer", Role: "assistant", Text: "I am fine.", CreatedAt: answer.CreatedAt,
		Usage: &events.Usage{PromptTokens: 3, CompletionTokens: 3, TotalTokens: 6},
	}, answer)
}

func TestConfig_echoesQuestionByDefault(t *testing.T) {
	c, heard := joined(t, start(t, chattest.Config{}), "room-1", "ada")
	ask(t, c, question("room-1", "r1"))
	_, answer := until(t, heard, "ai:message")
	assert.Equal(t, "You said: How are you?", as[events.AIMessage](t, answer).Text)
}

func TestServer_omitsRequestIDIfQuestionHasNone(t *testing.T) {
	c, heard := joined(t, start(t, chattest.Config{}), "room-1", "ada")
	ask(t, c, question("room-1", ""))
	_, answer := until(t, heard, "ai:message")
	assert.NotContains(t, string(answer.Args[0]), "requestId")
}

func TestOmitRequestIDs_removesRequestIDFromAllEvents(t *testing.T) {
	server := start(t, chattest.Config{OmitRequestIDs: true})
	c, heard := joined(t, server, "room-1", "ada")
	ask(t, c, question("room-1", "r1"))
	for {
		ev := wiretest.ReceiveFrom(t, heard)
		assert.Contains(t, string(ev.Args[0]), `"traceId":"trace-r1"`)
		assert.NotContains(t, string(ev.Args[0]), "requestId")
		if ev.Name == "ai:message" {
			return
		}
	}
}

func TestAnswer_fillsMissingRequestIDOfAnyEvent(t *testing.T) {
	server := start(t, chattest.Config{Answer: func(_ context.Context, _ events.UserMessage, emit func(events.Event)) {
		emit(events.AIToolCall{CallID: "c1", ToolName: "search", Args: []byte(`{"q":123456789012345678901234567890}`)})
		emit(events.AIToolResult{CallID: "c1", ToolName: "search", Result: []byte(`[]`)})
		emit(events.AIError{RequestID: "other", Message: "no more"})
		// A pointer implements error, and Event too.
		emit(&events.AIError{Code: "overloaded", Message: "later"})
	}})
	c, heard := joined(t, server, "room-1", "ada")
	ask(t, c, question("room-1", "r1"))

	require.Equal(t, "chat:message", wiretest.ReceiveFrom(t, heard).Name)
	assert.JSONEq(t, `{"q":123456789012345678901234567890}`, string(as[events.AIToolCall](t, wiretest.ReceiveFrom(t, heard)).Args))
	assert.Equal(t, "r1", as[events.AIToolResult](t, wiretest.ReceiveFrom(t, heard)).RequestID)
	assert.Equal(t, "other", as[events.AIError](t, wiretest.ReceiveFrom(t, heard)).RequestID)
	assert.Equal(t, "overloaded", as[events.AIError](t, wiretest.ReceiveFrom(t, heard)).Code)
}

func TestAnswer_reportsInvalidJSONToRoom(t *testing.T) {
	server := start(t, chattest.Config{Answer: func(_ context.Context, _ events.UserMessage, emit func(events.Event)) {
		emit(events.AIToolCall{CallID: "c1", ToolName: "search", Args: []byte(`{`)})
	}})
	c, heard := joined(t, server, "room-1", "ada")
	ask(t, c, question("room-1", "r1"))
	_, problem := until(t, heard, "error")
	assert.Contains(t, string(problem.Args[0]), `"event":"ai:tool_call"`)
}

func TestAnswer_keepsTokenOrder(t *testing.T) {
	const tokens = 10_000
	server := start(t, chattest.Config{Answer: func(_ context.Context, _ events.UserMessage, emit func(events.Event)) {
		for i := range tokens {
			emit(events.AIToken{Token: "x", Index: i})
		}
	}})
	c, heard := joined(t, server, "room-1", "ada")
	ask(t, c, question("room-1", "r1"))
	require.Equal(t, "chat:message", wiretest.ReceiveFrom(t, heard).Name)
	for i := range tokens {
		require.Equal(t, i, as[events.AIToken](t, wiretest.ReceiveFrom(t, heard)).Index)
	}
}

// stubborn emits a token, another one for each value of more, and a last one
// after it should have stopped.
func stubborn(more <-chan struct{}, stopped chan<- string) chattest.Answer {
	return func(ctx context.Context, q events.UserMessage, emit func(events.Event)) {
		for {
			emit(events.AIToken{Token: q.RequestID})
			select {
			case <-more:
			case <-ctx.Done():
				emit(events.AIToken{Token: "too late"})
				stopped <- q.RequestID
				return
			}
		}
	}
}

func TestAbort_dropsEventsOfAbortedAnswer(t *testing.T) {
	more, stopped := make(chan struct{}), make(chan string, 1)
	c, heard := joined(t, start(t, chattest.Config{Answer: stubborn(more, stopped)}), "room-1", "ada")
	ask(t, c, question("room-1", "r1"))
	until(t, heard, "ai:token")
	more <- struct{}{}
	until(t, heard, "ai:token")

	abort := events.Abort{ChatID: events.StringID("room-1"), RequestID: "r1", Reason: "enough"}
	assert.Equal(t, reply{OK: true}, call[reply](t, c, "ai:abort", abort))
	assert.Equal(t, "r1", wiretest.ReceiveFrom(t, stopped))

	require.NoError(t, c.Emit(t.Context(), "user:message", question("room-1", "r2")))
	before, _ := until(t, heard, "chat:message")
	assert.Empty(t, before)
}

func TestAbort_stopsOnlyNamedRequest(t *testing.T) {
	more, stopped := make(chan struct{}), make(chan string, 2)
	c, heard := joined(t, start(t, chattest.Config{Answer: stubborn(more, stopped)}), "room-1", "ada")
	ask(t, c, question("room-1", "r1"))
	ask(t, c, question("room-1", "r2"))
	until(t, heard, "ai:token")
	until(t, heard, "ai:token")

	call[reply](t, c, "ai:abort", events.Abort{ChatID: events.StringID("elsewhere")})
	call[reply](t, c, "ai:abort", events.Abort{RequestID: "r1"})
	assert.Equal(t, "r1", wiretest.ReceiveFrom(t, stopped))
	more <- struct{}{}
	_, token := until(t, heard, "ai:token")
	assert.Equal(t, "r2", as[events.AIToken](t, token).Token)
}

func TestAbort_stopsAllAnswersInChatWithoutRequestID(t *testing.T) {
	stopped := make(chan string, 2)
	c, _ := joined(t, start(t, chattest.Config{Answer: stubborn(nil, stopped)}), "room-1", "ada")
	ask(t, c, question("room-1", "r1"))
	ask(t, c, question("room-1", "r2"))
	call[reply](t, c, "ai:abort", events.Abort{ChatID: events.StringID("room-1")})
	assert.ElementsMatch(t, []string{"r1", "r2"}, []string{wiretest.ReceiveFrom(t, stopped), wiretest.ReceiveFrom(t, stopped)})
}

func TestAbort_hasNoEffectFromOtherRoom(t *testing.T) {
	more, stopped := make(chan struct{}), make(chan string, 1)
	server := start(t, chattest.Config{Answer: stubborn(more, stopped)})
	ada, heard := joined(t, server, "room-1", "ada")
	eve, _ := joined(t, server, "room-2", "eve")
	ask(t, ada, question("room-1", "r1"))
	until(t, heard, "ai:token")
	call[reply](t, eve, "ai:abort", events.Abort{RequestID: "r1"})
	more <- struct{}{}
	until(t, heard, "ai:token")
}

func TestAnswer_endsWhenClientDisconnects(t *testing.T) {
	stopped := make(chan string, 1)
	server := start(t, chattest.Config{Answer: stubborn(nil, stopped)})
	c, _, stop := client(t, server, inRoom(events.StringID("room-1"), "ada"))
	ask(t, c, question("room-1", "r1"))
	stop()
	assert.Equal(t, "r1", wiretest.ReceiveFrom(t, stopped))
}

func TestSay_pausesBeforeEachWord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var at []time.Duration
		chattest.Say("one  two three ", time.Second)(t.Context(), events.UserMessage{}, func(ev events.Event) {
			if _, ok := ev.(events.AIToken); ok {
				at = append(at, time.Since(began))
			}
		})
		assert.Equal(t, []time.Duration{1 * time.Second, 2 * time.Second, 3 * time.Second, 4 * time.Second}, at,
			"the second space is a word without letters")
	})
}

func TestSay_stopsWhenContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
		defer cancel()
		var said []events.Event
		began := time.Now()
		chattest.Say("one two three", time.Second)(ctx, events.UserMessage{}, func(ev events.Event) { said = append(said, ev) })
		assert.Equal(t, 1500*time.Millisecond, time.Since(began))
		assert.Equal(t, []events.Event{
			events.AIProcessing{Status: events.StatusQueued},
			events.AIProcessing{Status: events.StatusWorking},
			events.AIToken{Token: "one "},
		}, said)
	})
}
