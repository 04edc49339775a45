package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/events"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func hundred() (questions []string) {
	for n := range 100 {
		questions = append(questions, fmt.Sprintf("Question %d?", n))
	}
	return questions
}

func TestRun_answersEachQuestion(t *testing.T) {
	server := chattest.NewServer(chattest.Config{Answer: chattest.Echo(0)})
	defer server.Close()
	var out strings.Builder
	if err := run(t.Context(), &out, server.URL, hundred(), 8); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 100 {
		t.Errorf("%d lines", len(lines))
	}
	for _, line := range lines {
		question, answer, _ := strings.Cut(line, "? ")
		if !strings.Contains(answer, question+"?") {
			t.Errorf("%q", line)
		}
	}
}

func TestRun_abortsQuestionsAfterCancel(t *testing.T) {
	asked := make(chan string, 100)
	server := chattest.NewServer(chattest.Config{
		Answer: func(ctx context.Context, q events.UserMessage, _ func(events.Event)) {
			asked <- q.RequestID
			<-ctx.Done() // no answer until the question is aborted
		},
	})
	defer server.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- run(ctx, &strings.Builder{}, server.URL, hundred(), 8) }()
	for range 8 {
		<-asked
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	for range 8 {
		server.Expect(t, "ai:abort", nil)
	}
	if more := len(asked); more > 0 {
		t.Errorf("%d questions more than 8", more)
	}
}
