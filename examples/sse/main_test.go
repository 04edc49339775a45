package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/examples/internal/exampletest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) { exampletest.Main(m, main) }

func TestSse_reportsMissingServer(t *testing.T) {
	exampletest.ReportsMissingServer(t, "connection refused", 0, "-url", exampletest.NoServer, "-addr", "127.0.0.1:0")
}

func TestSSE_streamsAnswerAsEvents(t *testing.T) {
	lines := visit(t.Context(), t, serve(t, ""))
	all, err := io.ReadAll(lines)
	require.NoError(t, err)
	var names []string
	for line := range strings.Lines(string(all)) {
		if name, ok := strings.CutPrefix(line, "event: "); ok {
			names = append(names, strings.TrimSpace(name))
		}
	}
	assert.Equal(t, []string{"begin", "ai:processing", "ai:processing", "ai:token", "ai:token", "ai:token", "ai:message"}, names)
	assert.Contains(t, string(all), `"text":"You said: Hello"`)
}

func TestSSE_abortsAnswerWhenVisitorLeaves(t *testing.T) {
	stopped := make(chan struct{})
	backend := chattest.NewServer(chattest.Config{
		Answer: func(ctx context.Context, _ events.UserMessage, emit func(events.Event)) {
			emit(events.AIToken{Token: "Once upon a time"})
			<-ctx.Done()
			close(stopped)
		},
	})
	defer backend.Close()
	ctx, leave := context.WithCancel(t.Context())
	lines := visit(ctx, t, serve(t, backend.URL))
	for line := ""; line != "event: ai:token\n"; {
		var err error
		line, err = lines.ReadString('\n')
		require.NoError(t, err)
	}

	leave()
	var asked events.UserMessage
	require.NoError(t, backend.Expect(t, "user:message", nil).Decode(&asked))
	backend.Expect(t, "ai:abort", map[string]any{"requestId": asked.RequestID})
	<-stopped
}

func TestSSE_sendsErrorEventOnAnswerError(t *testing.T) {
	backend := chattest.NewServer(chattest.Config{
		Answer: func(_ context.Context, _ events.UserMessage, emit func(events.Event)) {
			emit(events.AIError{Message: "out of ideas"})
		},
	})
	defer backend.Close()
	all, err := io.ReadAll(visit(t.Context(), t, serve(t, backend.URL)))
	require.NoError(t, err)
	assert.Contains(t, string(all), "event: ai:error\ndata: {\"code\":\"backend_error\",")
	assert.NotContains(t, string(all), "out of ideas", "visitors do not see the texts of errors")
}

// serve runs the program until the test ends, and returns the URL that the
// program prints.
func serve(t *testing.T, backend string) (url string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	out, in := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, in, "127.0.0.1:0", backend, "room-1", 0) }() // ends with cancel
	t.Cleanup(func() {
		cancel()
		assert.NoError(t, <-ended)
		http.DefaultClient.CloseIdleConnections()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	words := strings.Fields(line)
	page, err := http.Get(words[2])
	require.NoError(t, err)
	defer page.Body.Close()
	text, err := io.ReadAll(page.Body)
	require.NoError(t, err)
	assert.Contains(t, string(text), "new EventSource(")
	return words[len(words)-1]
}

// visit requests url and returns a reader of the response.
func visit(ctx context.Context, t *testing.T, url string) *bufio.Reader {
	t.Helper()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	t.Cleanup(func() { response.Body.Close() })
	require.Equal(t, http.StatusOK, response.StatusCode)
	require.Equal(t, "text/event-stream", response.Header.Get("Content-Type"))
	return bufio.NewReader(response.Body)
}
