package web

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/chat/chathttp"
	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/installed"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if url := os.Getenv(natsURL); url != "" {
		if err := serveFrontEnd(url); err != nil {
			panic(err)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// A site is a web server with all routes of chathttp, in front of a backend.
type site struct {
	*httptest.Server
	t       *testing.T
	backend *chattest.Server

	mu       sync.Mutex
	requests []string // methods and paths
}

// count returns the number of requests with a method, or with a method and a
// path.
func (s *site) count(prefix string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, request := range s.requests {
		if strings.HasPrefix(request+" ", prefix+" ") {
			n++
		}
	}
	return n
}

// newSite starts a site until the test ends. around wraps its handler; it may
// be nil.
func newSite(t *testing.T, cfg chathttp.Config, around func(http.Handler) http.Handler) *site {
	t.Helper()
	s := &site{t: t, backend: chattest.NewServer(chattest.Config{Answer: answer})}
	t.Cleanup(s.backend.Close)
	client, err := chat.New(s.backend.URL, chat.Config{NoJoin: true})
	require.NoError(t, err)
	ran := make(chan error, 1)
	go func() { ran <- client.Run(context.Background()) }() // ends with client.Close
	t.Cleanup(func() {
		_ = client.Close()
		<-ran
	})
	cfg.Authorize = func(*http.Request) (chathttp.Visitor, error) {
		return chathttp.Visitor{UserID: events.StringID("ada"), MayUse: func(string) bool { return true }}, nil
	}
	cfg.Logger = slog.New(slog.DiscardHandler)
	web, err := chathttp.New[chathttp.Answer](asker{client}, cfg)
	require.NoError(t, err)
	t.Cleanup(func() { _ = web.Close() })
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/chat", web.AISDK)
	mux.HandleFunc("GET /api/chat/{id}/stream", web.ResumeAISDK)
	mux.HandleFunc("POST /api/chat/{id}/stop", web.Stop)
	mux.HandleFunc("GET /api/sse", web.SSE)
	mux.HandleFunc("POST /api/ndjson", web.NDJSON)
	mux.HandleFunc("POST /api/agui", web.AGUI)
	mux.HandleFunc("POST /v1/chat/completions", web.OpenAI)
	var handler http.Handler = mux
	if around != nil {
		handler = around(handler)
	}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.requests = append(s.requests, r.Method+" "+r.URL.Path)
		s.mu.Unlock()
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Server.Close)
	return s
}

// run runs a script with the site's URL among its args, and decodes its result.
func (s *site) run(script string, args map[string]any, result any) {
	s.t.Helper()
	node := need(s.t)
	args["url"] = s.URL
	encoded, err := json.Marshal(args)
	require.NoError(s.t, err)
	ctx, cancel := context.WithTimeout(s.t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, node, "--experimental-eventsource", "--no-warnings", script, string(encoded))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(s.t, err, "%s: %s", script, stderr.String())
	require.NoError(s.t, json.Unmarshal(out, result), string(out))
}

// need returns the path of the folder's Node, or skips the test without it.
func need(t *testing.T) string {
	t.Helper()
	node, err := filepath.Abs("node_modules/node/bin/node")
	require.NoError(t, err)
	_, err = os.Stat(node)
	installed.Need(t, err, "make interop/web/node_modules")
	return node
}

// questions returns the number of questions with a text.
func (s *site) questions(text string) (n int) {
	for _, received := range s.backend.Received("user:message") {
		var q events.UserMessage
		require.NoError(s.t, received.Decode(&q))
		if q.Text == text {
			n++
		}
	}
	return n
}

// cutAfter wraps a handler whose responses are cut after n frames.
func cutAfter(n int) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(&cutWriter{w, n}, r)
		})
	}
}

type cutWriter struct {
	http.ResponseWriter
	left int
}

func (c *cutWriter) Unwrap() http.ResponseWriter { return c.ResponseWriter }

func (c *cutWriter) Write(data []byte) (int, error) {
	for i := range data {
		if strings.HasSuffix(string(data[:i+1]), "\n\n") && !strings.HasSuffix(string(data[:i+1]), ":\n\n") {
			if c.left--; c.left == 0 {
				_, _ = c.ResponseWriter.Write(data[:i+1])
				_ = http.NewResponseController(c.ResponseWriter).Flush()
				panic(http.ErrAbortHandler)
			}
		}
	}
	return c.ResponseWriter.Write(data)
}
