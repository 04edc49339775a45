package web

import (
	"context"
	"encoding/json"
	"hash/fnv"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/events"
)

// wholeText is the text of the answer to "whole".
const wholeText = "It is noon \u2028👩\u200d💻"

// longText has 24 words, one in each token.
var longText = func() string {
	var words []string
	for i := range 24 {
		words = append(words, strconv.Itoa(i))
	}
	return strings.Join(words, " ")
}()

// answer answers a question by its text.
func answer(ctx context.Context, q events.UserMessage, emit func(events.Event)) {
	final := events.AIMessage{
		MessageID: "m1", Role: "assistant", CreatedAt: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC),
		Usage: &events.Usage{PromptTokens: 3, CompletionTokens: 4, TotalTokens: 7},
	}
	switch {
	case q.Text == "whole":
		emit(events.AIProcessing{Status: events.StatusWorking, EtaMs: 100})
		emit(events.AIToken{Token: "It is ", Index: 0})
		emit(events.AIToolCall{CallID: "c1", ToolName: "clock", Args: json.RawMessage(`{"zone":"UTC"}`)})
		emit(events.AIToolResult{CallID: "c1", ToolName: "clock", Result: json.RawMessage(`{"time":"12:00"}`)})
		emit(events.AIToolResult{CallID: "c2", ToolName: "date", Result: json.RawMessage(`{"error":"no calendar"}`)})
		emit(events.AIToken{Token: "noon \u2028", Index: 1})
		for i, part := range []string{"👩", "\u200d", "💻"} { // one emoji
			emit(events.AIToken{Token: part, Index: 2 + i})
		}
		final.Text, final.Options = wholeText, []string{"Thanks", "Why?"}
		emit(final)
	case q.Text == "all at once":
		final.Text = "All at once"
		emit(final)
	case q.Text == "different":
		emit(events.AIToken{Token: "Draft"})
		final.Text = "Final"
		emit(final)
	case q.Text == "fail":
		emit(events.AIToken{Token: "We"})
		emit(events.AIError{Code: "E_MODEL", Message: "secret"})
	case q.Text == "lost":
		emit(events.AIToken{Token: "We", Index: 0})
		emit(events.AIToken{Token: "gone", Index: 2})
		final.Text = "Something else"
		emit(final)
	case q.Text == "slow":
		chattest.Say("0 1 2 3 4 5 6 7 8 9", 30*time.Millisecond)(ctx, q, emit)
	case q.Text == "long":
		chattest.Say(longText, 10*time.Millisecond)(ctx, q, emit)
	case q.Text == "silent":
		<-ctx.Done()
	case q.Text == "wait": // without an end
		emit(events.AIToken{Token: "first "})
		<-ctx.Done()
	case q.Text == "endless":
		chattest.Say(strings.Repeat("on ", 10_000), 10*time.Millisecond)(ctx, q, emit)
	case strings.HasPrefix(q.Text, "random "):
		random(q.Text, emit)
	default:
		chattest.Echo(0)(ctx, q, emit)
	}
}

// random sends a conversation that depends on the text only.
func random(text string, emit func(events.Event)) {
	sum := fnv.New64()
	_, _ = sum.Write([]byte(text)) // never fails
	r := rand.New(rand.NewPCG(sum.Sum64(), 1))
	var said strings.Builder
	for index := 0; r.IntN(20) > 0; {
		call := "c" + strconv.Itoa(r.IntN(4))
		switch r.IntN(6) {
		case 0:
			emit(events.AIProcessing{Status: events.Status(call), EtaMs: float64(r.IntN(3))})
		case 1:
			emit(events.AIToolCall{CallID: call, ToolName: "tool", Args: json.RawMessage(`{"a": [1, "\u2028"]}`)})
		case 2:
			results := []string{`null`, `"text"`, `{"error":"e"}`, `[1]`, `{"error":{"a":1}}`}
			emit(events.AIToolResult{CallID: call, ToolName: "tool", Result: json.RawMessage(results[r.IntN(len(results))])})
		default:
			token := []string{"", "a ", "\n\n", "data: ", "\r\n", "é😀", `"\`}[r.IntN(7)]
			emit(events.AIToken{Token: token, Index: index})
			said.WriteString(token)
			index++
		}
	}
	switch r.IntN(3) {
	case 0:
		emit(events.AIError{Code: "E1", Message: "failed"})
	case 1:
		emit(events.AIMessage{MessageID: "m1", Text: said.String(), Options: []string{"Yes"}})
	default:
		emit(events.AIMessage{MessageID: "m1", Text: "different"})
	}
}
