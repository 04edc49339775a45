package chattest

import (
	"context"
	"strings"
	"time"

	"github.com/seed67206a74/parley/events"
)

// An Answer is the script of the AI: it replies to one user message. It runs in
// a goroutine of its own.
//
// Each event given to emit goes to everybody in the question's room; a chatId,
// traceId or requestId that it leaves open is the question's. Events arrive in
// the order in which emit got them, and emit does not wait.
//
// The ctx ends when the answer is aborted, when the asker is gone, and on
// Close; from then on emit does nothing, and the Answer should return.
type Answer func(ctx context.Context, q events.UserMessage, emit func(events.Event))

// Say answers everything with the same text: the statuses queued and working,
// then the text word by word as tokens, each after a pause of the given length
// and with the space that follows it, then the message. The counts of the
// message's usage are words.
func Say(text string, pace time.Duration) Answer {
	return func(ctx context.Context, q events.UserMessage, emit func(events.Event)) {
		emit(events.AIProcessing{Status: events.StatusQueued})
		emit(events.AIProcessing{Status: events.StatusWorking})
		spoken := 0
		for word := range strings.SplitAfterSeq(text, " ") {
			if word == "" { // after the last space
				continue
			}
			if !pause(ctx, pace) {
				return
			}
			emit(events.AIToken{Token: word, Index: spoken})
			spoken++
		}
		asked := len(strings.Fields(q.Text))
		emit(events.AIMessage{
			MessageID: q.MessageID + "-answer",
			Role:      "assistant",
			Text:      text,
			CreatedAt: time.Now(),
			Usage: &events.Usage{
				PromptTokens:     int64(asked),
				CompletionTokens: int64(spoken),
				TotalTokens:      int64(asked + spoken),
			},
		})
	}
}

// Echo answers as Say does, with "You said: " and the text of the question.
func Echo(pace time.Duration) Answer {
	return func(ctx context.Context, q events.UserMessage, emit func(events.Event)) {
		Say("You said: "+q.Text, pace)(ctx, q, emit)
	}
}

// pause waits for d, and reports whether ctx is still alive.
func pause(ctx context.Context, d time.Duration) bool {
	if d > 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	return ctx.Err() == nil
}
