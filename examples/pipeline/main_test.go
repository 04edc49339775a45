package main

import (
	"context"
	"strings"
	"testing"

	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/examples/internal/exampletest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) { exampletest.Main(m, main) }

func TestPipeline_reportsMissingServer(t *testing.T) {
	exampletest.ReportsMissingServer(t, "connection refused", 1, "-url", exampletest.NoServer)
}

func TestPipeline_groupsSentencesInPairs(t *testing.T) {
	var out strings.Builder
	require.NoError(t, run(t.Context(), &out, "", "room-1", "Tell me a story."))
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	assert.Equal(t, "1. A stream sends one word at a time. | 2. Each sentence is ready before the end.", lines[0])
	assert.NotContains(t, out.String(), "Look", "a single word is filtered out")
	assert.Contains(t, lines[len(lines)-1], "5. Print each sentence as soon as it is complete.")
}

func TestPipeline_printsSentencesDuringAnswer(t *testing.T) {
	firstLine := make(chan struct{})
	server := chattest.NewServer(chattest.Config{
		Answer: func(ctx context.Context, _ events.UserMessage, emit func(events.Event)) {
			emit(events.AIToken{Token: "The first one. And the second. The th"})
			select {
			case <-firstLine:
				emit(events.AIToken{Token: "ird", Index: 1})
				emit(events.AIMessage{MessageID: "m", Role: "assistant", Text: "The first one. And the second. The third"})
			case <-ctx.Done():
			}
		},
	})
	defer server.Close()
	var printed strings.Builder
	out := writerFunc(func(p []byte) {
		if printed.Len() == 0 {
			close(firstLine)
		}
		printed.Write(p)
	})
	require.NoError(t, run(t.Context(), out, server.URL, "room-1", "Count."))
	assert.Equal(t, "1. The first one. | 2. And the second.\n3. The third\n", printed.String())
}

func TestPipeline_printsPartialAnswerBeforeError(t *testing.T) {
	server := chattest.NewServer(chattest.Config{
		Answer: func(_ context.Context, _ events.UserMessage, emit func(events.Event)) {
			emit(events.AIToken{Token: "It was a dark and"})
			emit(events.AIError{Message: "no more ink"})
		},
	})
	defer server.Close()
	var out strings.Builder
	err := run(t.Context(), &out, server.URL, "room-1", "Tell me a story.")
	assert.ErrorContains(t, err, "no more ink")
	assert.Equal(t, "1. It was a dark and\n", out.String(), "the text before the error is printed")
}

type writerFunc func(p []byte)

func (f writerFunc) Write(p []byte) (int, error) { f(p); return len(p), nil }
