package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/examples/internal/exampletest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) { exampletest.Main(m, main) }

func TestWorkerpool_reportsMissingServer(t *testing.T) {
	exampletest.ReportsMissingServer(t, "connection refused", 1, "-url", exampletest.NoServer)
}

func TestWorkerPool_answersEachChat(t *testing.T) {
	var out strings.Builder
	require.NoError(t, run(t.Context(), &out, "", 12, 4))
	assert.Equal(t, 12, strings.Count(out.String(), "\n"))
	for i := range 12 {
		assert.Contains(t, out.String(), fmt.Sprintf("room-%[1]d: You said: Summarize room-%[1]d.\n", i+1))
	}
}

func TestWorkerPool_runsOneAnswerPerWorker(t *testing.T) {
	const workers = 3
	var running, most atomic.Int64
	var together sync.WaitGroup // of the first answers: none ends before all have started
	together.Add(workers)
	var started atomic.Int64
	server := chattest.NewServer(chattest.Config{
		Answer: func(ctx context.Context, q events.UserMessage, emit func(events.Event)) {
			now := running.Add(1)
			for seen := most.Load(); now > seen && !most.CompareAndSwap(seen, now); seen = most.Load() {
			}
			if started.Add(1) <= workers {
				together.Done()
				together.Wait()
			}
			running.Add(-1)
			chattest.Echo(0)(ctx, q, emit)
		},
	})
	defer server.Close()
	require.NoError(t, run(t.Context(), &strings.Builder{}, server.URL, 10, workers))
	assert.EqualValues(t, workers, most.Load())
	for range 10 {
		left := server.Expect(t, "chat:leave", nil)
		assert.Same(t, server.Received("chat:join")[0].Socket, left.Socket, "one connection for all chats")
	}
}

func TestWorkerPool_stopsOnFirstError(t *testing.T) {
	server := chattest.NewServer(chattest.Config{
		Answer: func(ctx context.Context, q events.UserMessage, emit func(events.Event)) {
			if q.ChatID == events.StringID("room-2") {
				emit(events.AIError{Message: "out of ideas"})
				return
			}
			<-ctx.Done() // until it is aborted
		},
	})
	defer server.Close()
	err := run(t.Context(), &strings.Builder{}, server.URL, 100, 4)
	assert.EqualError(t, err, "room-2: ai error: out of ideas")
}
