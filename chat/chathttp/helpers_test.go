package chathttp

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/sioserver"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A site is a Server with all its routes, in front of a chat backend in memory.
type site struct {
	t       *testing.T
	backend *chattest.Server
	client  *chat.Client // of all visitors; nil if each has its own
	after   func()       // after web was closed
	web     *Server
	http    *http.Server
	browser *http.Client
}

// withSite runs a test in a bubble of synctest, with its own site. One client
// asks for all visitors.
func withSite(t *testing.T, answer chattest.Answer, cfg Config, test func(t *testing.T, s *site)) {
	t.Helper()
	withServer(t, answer, cfg, func(s *site, cfg Config) (*Server, error) {
		s.client = s.newClient()
		ran := make(chan error, 1)
		go func() { ran <- s.client.Run(context.Background()) }() // ends with client.Close
		s.after = func() {
			_ = s.client.Close()
			<-ran
		}
		return New(s.client, cfg)
	}, test)
}

// withServer is withSite with a Server of another kind.
func withServer(t *testing.T, answer chattest.Answer, cfg Config, newServer func(s *site, cfg Config) (*Server, error), test func(t *testing.T, s *site)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &site{t: t, after: func() {}, backend: chattest.NewInMemory(chattest.Config{Answer: answer})}
		defer s.backend.Close()
		if cfg.Authorize == nil {
			cfg.Authorize = byHeader
		}
		setDefault(&cfg.Logger, slog.New(slog.DiscardHandler))
		var err error
		s.web, err = newServer(s, cfg)
		require.NoError(t, err)
		defer func() { s.after() }()
		defer s.web.Close()
		s.serve(routes(s.web), &http.Server{})
		defer func() {
			s.browser.CloseIdleConnections()
			_ = s.http.Close()
			time.Sleep(time.Second) // after a large body, http.Server closes a connection late
		}()
		test(t, s)
	})
}

// newClient returns a client of the backend that joins no room by itself.
func (s *site) newClient() *chat.Client {
	s.t.Helper()
	client, err := chat.New(s.backend.URL, chat.Config{
		NoJoin: true, Conn: conn.Config{HTTP: s.backend.Transport(), Logger: slog.New(slog.DiscardHandler)},
		Stream: chat.StreamConfig{FirstTokenTimeout: time.Hour, IdleTimeout: time.Hour},
	})
	require.NoError(s.t, err)
	return client
}

// serve serves a handler in memory.
func (s *site) serve(handler http.Handler, server *http.Server) {
	memory := sioserver.NewMemory()
	server.Handler = handler
	s.http = server
	go func() { _ = server.Serve(memory) }() // ends with server.Close
	s.browser = &http.Client{Transport: &http.Transport{DialContext: memory.DialContext}}
}

// serveAsker serves a Server with another Asker in place of the site's client.
func serveAsker[A Answer](s *site, asker Asker[A], cfg Config) {
	s.t.Helper()
	cfg.Authorize, cfg.Logger = byHeader, s.web.cfg.Logger
	web, err := New(asker, cfg)
	require.NoError(s.t, err)
	_ = s.http.Close()
	s.serve(routes(web), &http.Server{})
	s.web = web
	after := s.after
	s.after = func() {
		_ = web.Close()
		after()
	}
}

// byHeader authorizes the user in the header User for all chats but "locked".
func byHeader(r *http.Request) (Visitor, error) {
	switch user := r.Header.Get("User"); user {
	case "":
		return Visitor{}, errors.New("no user")
	case "banned":
		return Visitor{}, ErrForbidden
	default:
		return Visitor{UserID: events.StringID(user), MayUse: func(chat string) bool { return chat != "locked" }}, nil
	}
}

func routes(s *Server) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /chat", s.AISDK)
	mux.HandleFunc("GET /chat/{id}/stream", s.ResumeAISDK)
	mux.HandleFunc("POST /chat/{id}/stop", s.Stop)
	mux.HandleFunc("/sse", s.SSE)
	mux.HandleFunc("POST /ndjson", s.NDJSON)
	mux.HandleFunc("GET /ndjson/{id}", s.ResumeNDJSON)
	mux.HandleFunc("POST /v1/chat/completions", s.OpenAI)
	mux.HandleFunc("POST /agui", s.AGUI)
	return mux
}

// A reply is a response that is being read.
type reply struct {
	*http.Response
	t     *testing.T
	lines *bufio.Reader
	leave context.CancelFunc
}

// send sends a request of the user ada; header has names and values.
func (s *site) send(method, path, body string, header ...string) *reply {
	s.t.Helper()
	ctx, cancel := context.WithCancel(s.t.Context())
	r, err := http.NewRequestWithContext(ctx, method, "http://site.invalid"+path, strings.NewReader(body))
	require.NoError(s.t, err)
	r.Header.Set("User", "ada")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	response, err := s.browser.Do(r)
	require.NoError(s.t, err)
	s.t.Cleanup(cancel)
	return &reply{response, s.t, bufio.NewReader(response.Body), func() {
		cancel()
		_ = response.Body.Close()
	}}
}

// ask sends a question by the AI SDK's protocol.
func (s *site) ask(chat, text string, header ...string) *reply {
	s.t.Helper()
	return s.send("POST", "/chat", `{"id":"`+chat+`","messages":[{"role":"user","parts":[{"type":"text","text":"`+text+`"}]}]}`, header...)
}

// frame returns the data of the next frame, "" at the end. Comments are left
// out.
func (r *reply) frame() string {
	r.t.Helper()
	var data strings.Builder
	for {
		line, err := r.lines.ReadString('\n')
		if err != nil {
			require.ErrorIs(r.t, err, io.EOF)
			return ""
		}
		switch line = strings.TrimSuffix(line, "\n"); {
		case line == "" && data.Len() > 0:
			return data.String()
		case strings.HasPrefix(line, "data: "):
			data.WriteString(line[6:])
		}
	}
}

// frames returns all further frames.
func (r *reply) frames() (all []string) {
	r.t.Helper()
	for frame := r.frame(); frame != ""; frame = r.frame() {
		all = append(all, frame)
	}
	return all
}

// until reads frames up to the first that contains text, and returns it.
func (r *reply) until(text string) string {
	r.t.Helper()
	for {
		frame := r.frame()
		require.NotEmpty(r.t, frame, "no frame has %s", text)
		if strings.Contains(frame, text) {
			return frame
		}
	}
}

// body returns the rest of the response.
func (r *reply) body() string {
	r.t.Helper()
	all, err := io.ReadAll(r.lines)
	require.NoError(r.t, err)
	return string(all)
}

// questions returns the texts of the questions that the backend has received.
func (s *site) questions() (texts []string) {
	for _, received := range s.backend.Received("user:message") {
		var q events.UserMessage
		require.NoError(s.t, received.Decode(&q))
		texts = append(texts, q.Text)
	}
	return texts
}

// aborts returns the number of aborts that the backend has received.
func (s *site) aborts() int {
	synctest.Wait()
	return len(s.backend.Received("ai:abort"))
}

// status sends a request and asserts its status.
func (s *site) status(want int, r *reply) *reply {
	s.t.Helper()
	assert.Equal(s.t, want, r.StatusCode)
	return r
}

// pauses is an answer of a token every second, ten in all.
func pauses(ctx context.Context, q events.UserMessage, emit func(events.Event)) {
	chattest.Say("0 1 2 3 4 5 6 7 8 9", time.Second)(ctx, q, emit)
}

// open returns the number of open responses.
func (s *site) open() int {
	synctest.Wait()
	s.web.answers.mu.Lock()
	defer s.web.answers.mu.Unlock()
	return s.web.answers.all.open
}

func itoa(n int) string { return strconv.Itoa(n) }
