package mockserver

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/events"
)

// holdStatusEvery is the interval of the statuses of a held answer. It is
// shorter than the idle timeout of a client.
const holdStatusEvery = 10 * time.Second

// toolTimeout is how long a client may take to run its tool.
const toolTimeout = 10 * time.Second

// answer sends the status first, then the text word by word, and the usage
// last.
func (s *Server) answer(ctx context.Context, q events.UserMessage, emit func(events.Event)) {
	emit = s.emitter(ctx, q, emit)
	emit(events.AIProcessing{Status: events.StatusQueued})
	emit(events.AIProcessing{Status: events.StatusWorking})
	text := think(ctx, q, emit)

	faults := s.faults()
	fails, stalls := by(faults.Error), by(faults.Stall)
	words := strings.SplitAfter(text, " ")
	for i, word := range words {
		if s.hold(ctx, i, emit) != nil || pause(ctx, s.faults().Pace) != nil {
			return
		}
		switch halfway := i == len(words)/2; {
		case halfway && fails:
			emit(events.AIError{Code: "E_MOCK", Message: "the model has given up", Details: json.RawMessage(`{"fault":"error"}`)})
			return
		case halfway && stalls:
			return
		}
		s.emitToken(ctx, q, emit, events.AIToken{Token: word, Index: i})
	}

	prompt, completion := int64(len(strings.Fields(q.Text))), int64(len(words))
	emit(events.AIMessage{
		MessageID: q.MessageID + "-answer",
		Role:      "assistant",
		Text:      text,
		CreatedAt: time.Now(),
		Usage:     &events.Usage{PromptTokens: prompt, CompletionTokens: completion, TotalTokens: prompt + completion},
		Options:   []string{"What time is it?", "Tell me something long"},
	})
}

// hold waits while the settings hold an answer after so many sent tokens. It
// sends a status from time to time.
func (s *Server) hold(ctx context.Context, sent int, emit func(events.Event)) error {
	for {
		faults, changed := s.settings()
		if faults.HoldAfter == 0 || sent < faults.HoldAfter {
			return nil
		}
		select {
		case <-changed:
		case <-time.After(holdStatusEvery):
			emit(events.AIProcessing{Status: events.StatusWorking, Reason: "held"})
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// think returns the text of the answer to a question.
func think(ctx context.Context, q events.UserMessage, emit func(events.Event)) string {
	switch asks := strings.ToLower(q.Text); {
	case strings.Contains(asks, "time"), strings.Contains(asks, "tool"):
		if !hasTool(chattest.SocketFromContext(ctx), "clock") {
			return fmt.Sprintf("It is %s. Register a tool “clock”, and I will ask your client instead.", time.Now().UTC().Format(time.Kitchen))
		}
		return callClock(ctx, q, emit)
	case strings.Contains(asks, "long"):
		return longText()
	}
	return fmt.Sprintf("You said: “%s”. %s", q.Text, strings.Join(remarks[:], " "))
}

// callClock calls the tool of the client that asked, and returns its result in
// a sentence.
func callClock(ctx context.Context, q events.UserMessage, emit func(events.Event)) string {
	ctx, cancel := context.WithTimeout(ctx, toolTimeout)
	defer cancel()
	call := events.AIToolCall{CallID: q.MessageID + "-clock", ToolName: "clock", Args: json.RawMessage(`{"zone":"UTC"}`)}
	result, err := chattest.CallTool(ctx, call)
	if err != nil {
		return fmt.Sprintf("I asked your client for its tool “clock”, and had no answer (%v).", err)
	}
	emit(events.AIToolResult{CallID: call.CallID, ToolName: call.ToolName, Result: result})
	return fmt.Sprintf("I asked your client for its tool “clock”, and it says: %s.", result)
}

// emitToken emits a token, unless a fault drops or changes it.
func (s *Server) emitToken(ctx context.Context, q events.UserMessage, emit func(events.Event), token events.AIToken) {
	faults := s.faults()
	switch {
	case by(faults.Drop):
	case by(faults.Wrong):
		s.emitWrong(ctx, q, token)
	default:
		emit(token)
	}
	switch token.Index + 1 {
	case faults.CutAfter:
		chattest.SocketFromContext(ctx).CloseNow()
	case faults.KickAfter:
		chattest.SocketFromContext(ctx).Disconnect()
	}
}

// emitWrong sends a token with an invalid payload.
func (s *Server) emitWrong(ctx context.Context, q events.UserMessage, token events.AIToken) {
	shape := map[string]any{"chatId": q.ChatID, "requestId": q.RequestID, "token": []string{token.Token}, "index": fmt.Sprint(token.Index)}
	s.emitRaw(ctx, q, events.KeyAIToken, shape)
}

// remarks are the sentences of the AI.
var remarks = [...]string{
	"Each word of this text is an event of its own, and reaches you through a Go channel.",
	"The last event of an answer is its message, which holds the whole text and its cost.",
	"You can stop me at any time: an abort names its question, so no other answer is affected.",
	"Ask me for the time and I will call a tool of yours; ask for something long to see a slow reader.",
}

func longText() string {
	var text strings.Builder
	for n := range 40 {
		fmt.Fprintf(&text, "%d. %s \n", n+1, remarks[n%len(remarks)])
	}
	return strings.TrimSpace(text.String())
}
