package chattest

import (
	"context"
	"strings"
	"time"

	"github.com/seed67206a74/parley/events"
)

// An Answer replies to one user message in place of an AI. It runs in a
// goroutine of its own.
//
// emit sends an event to the question's room, without blocking. It sets a
// missing chatId, traceId or requestId to that of the question. Events arrive
// in the order in which they were emitted.
//
// The ctx ends when the answer is aborted, when the session of the client that
// asked ends, and on Close. From then on emit does nothing, and the Answer
// should return.
type Answer func(ctx context.Context, q events.UserMessage, emit func(events.Event))

// Say returns an Answer that always sends the same text: the statuses queued
// and working, then the words as tokens, then the message. Each token includes
// the space after its word and follows a pause of the given length. The
// message's usage counts words.
func Say(text string, pace time.Duration) Answer {
	return func(ctx context.Context, q events.UserMessage, emit func(events.Event)) {
		emit(events.AIProcessing{Status: events.StatusQueued})
		emit(events.AIProcessing{Status: events.StatusWorking})
		sent := 0
		for word := range strings.SplitAfterSeq(text, " ") {
			if word == "" { // after the last space
				continue
			}
			if !pause(ctx, pace) {
				return
			}
			emit(events.AIToken{Token: word, Index: sent})
			sent++
		}
		asked := len(strings.Fields(q.Text))
		emit(events.AIMessage{
			MessageID: q.MessageID + "-answer",
			Role:      "assistant",
			Text:      text,
			CreatedAt: time.Now(),
			Usage: &events.Usage{
				PromptTokens:     int64(asked),
				CompletionTokens: int64(sent),
				TotalTokens:      int64(asked + sent),
			},
		})
	}
}

// Echo returns an Answer like that of Say, whose text is "You said: " and the
// text of the question.
func Echo(pace time.Duration) Answer {
	return func(ctx context.Context, q events.UserMessage, emit func(events.Event)) {
		Say("You said: "+q.Text, pace)(ctx, q, emit)
	}
}

// pause waits for d, and reports whether ctx has not ended.
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
