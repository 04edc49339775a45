package chathttp

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/events"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// sharedAnswers is a Finder for several Servers.
type sharedAnswers struct {
	*chat.Client
	mu    sync.Mutex
	all   []*chat.Stream
	rooms []events.ID
	finds int
}

func (s *sharedAnswers) Ask(ctx context.Context, q chat.Question) (*chat.Stream, error) {
	answer, err := s.Client.Ask(ctx, q)
	if err == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.all, s.rooms = append(s.all, answer), append(s.rooms, q.ChatID)
	}
	return answer, err
}

func (s *sharedAnswers) Find(_ context.Context, chatID events.ID, own func(string) bool) (answer *chat.Stream, ok bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.finds++
	for i, a := range s.all {
		if s.rooms[i].Same(chatID) && own(a.RequestID()) {
			answer = a
		}
	}
	return answer, answer != nil, nil
}

// withTwoServers runs a test with a second Server of the same chats, which is
// served in place of the first after move.
func withTwoServers(t *testing.T, test func(t *testing.T, s *site, shared *sharedAnswers, move func())) {
	t.Helper()
	withSite(t, pauses, Config{}, func(t *testing.T, s *site) {
		shared := &sharedAnswers{Client: s.client}
		cfg := Config{Authorize: byHeader, OnLeave: ContinueOnLeave, MaxStreamsPerVisitor: 3, Logger: s.web.cfg.Logger}
		cfg.Chat = func(r Request) (string, error) { return strings.Replace(r.ChatID, "mapped", "target", 1), nil }
		var servers [2]*Server
		for i := range servers {
			var err error
			servers[i], err = New(shared, cfg)
			require.NoError(t, err)
			defer servers[i].Close()
		}
		var mu sync.Mutex
		handler := routes(servers[0])
		serveAny := func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			now := handler
			mu.Unlock()
			now.ServeHTTP(w, r)
		}
		first, browser := s.http, s.browser
		defer func() {
			browser.CloseIdleConnections()
			_ = first.Close()
		}()
		s.serve(http.HandlerFunc(serveAny), &http.Server{})
		test(t, s, shared, func() {
			mu.Lock()
			defer mu.Unlock()
			handler = routes(servers[1])
		})
	})
}

func TestFinder_requiresContinueOnLeave(t *testing.T) {
	for _, cfg := range []Config{{}, {LeaveGrace: time.Minute}} {
		cfg.Authorize = byHeader
		_, err := New(&sharedAnswers{}, cfg)
		assert.ErrorIs(t, err, ErrFinderAborts)
	}
}

func TestFinder_resumesAnswerOfOtherServer(t *testing.T) {
	withTwoServers(t, func(t *testing.T, s *site, shared *sharedAnswers, move func()) {
		r := s.ask("room", "Count")
		r.until(`"delta":"1 "`)
		events := s.send("GET", "/sse?chatId=plain&text=Count", "")
		events.until(`"token":"1 "`)
		move()
		tabs := []*reply{s.send("GET", "/chat/room/stream", ""), s.send("GET", "/chat/room/stream", "")}
		s.status(204, s.send("GET", "/chat/room/stream", "", "User", "bob"))
		s.status(204, s.send("GET", "/chat/other/stream", ""))
		s.status(204, s.send("GET", "/chat/locked/stream", ""))
		all := tabs[0].frames()
		assert.Equal(t, "[DONE]", all[len(all)-1])
		assert.Equal(t, all, tabs[1].frames())
		rest := r.frames()
		assert.Equal(t, rest, all[len(all)-len(rest):], "the same frames as of the first server")
		assert.Equal(t, 3, shared.finds, "one of them for both tabs, none for a locked chat")

		id := shared.all[1].RequestID()
		again := s.status(200, s.send("GET", "/sse?chatId=plain&text=Count", "", "Last-Event-ID", id+".4"))
		assert.Contains(t, again.body(), "id: "+id+".5\n")
		assert.Len(t, s.questions(), 2)
	})
}

// askAndMove asks in a chat, and moves the visitor to the other server during
// the answer.
func (s *site) askAndMove(chat string, move func()) *reply {
	r := s.ask(chat, "Count")
	r.until(`"delta":"1 "`)
	move()
	return r
}

func TestFinder_stopsAnswerOfOtherServer(t *testing.T) {
	withTwoServers(t, func(t *testing.T, s *site, _ *sharedAnswers, move func()) {
		r := s.askAndMove("room", move)
		assert.Contains(t, s.send("POST", "/chat/room/stop", "{}").body(), `"stopped":true`)
		assert.Contains(t, r.frames(), `{"type":"abort"}`)
		synctest.Wait()
		assert.Equal(t, 1, s.aborts())
		assert.Contains(t, s.send("POST", "/chat/room/stop", "{}").body(), `"stopped":false`)
	})
}

func TestFinder_resumesAndStopsMappedChat(t *testing.T) {
	withTwoServers(t, func(t *testing.T, s *site, _ *sharedAnswers, move func()) {
		s.askAndMove("mapped", move)
		s.status(200, s.send("GET", "/chat/mapped/stream", "")).leave()
		assert.Contains(t, s.send("POST", "/chat/mapped/stop", "").body(), `"stopped":true`)
	})
}

func TestFinder_doesNotAbortAnswerOverLimit(t *testing.T) {
	withTwoServers(t, func(t *testing.T, s *site, _ *sharedAnswers, move func()) {
		r := s.askAndMove("room", move)
		others := []*reply{s.ask("a", "Count"), s.ask("b", "Count"), s.ask("c", "Count")}
		assert.Contains(t, s.status(429, s.send("GET", "/chat/room/stream", "")).body(), `"too_many_streams"`)
		assert.Contains(t, r.frames(), "[DONE]")
		assert.Zero(t, s.aborts())
		for _, other := range others {
			other.frames()
		}
		assert.Contains(t, s.status(200, s.send("GET", "/chat/room/stream", "")).body(), "[DONE]")
	})
}

func TestFinder_stopsAnswerOverLimit(t *testing.T) {
	withTwoServers(t, func(t *testing.T, s *site, _ *sharedAnswers, move func()) {
		r := s.askAndMove("room", move)
		others := []*reply{s.ask("a", "Count"), s.ask("b", "Count"), s.ask("c", "Count")}
		assert.Contains(t, s.status(200, s.send("POST", "/chat/room/stop", "{}")).body(), `"stopped":true`)
		assert.Contains(t, r.frames(), `{"type":"abort"}`)
		for _, other := range others {
			assert.Contains(t, other.frames(), "[DONE]")
		}
	})
}

func TestRequestID_isOwnOfItsUserOnly(t *testing.T) {
	id := newRequestID("ada")
	assert.True(t, isOwn(id, "ada"))
	for _, user := range []string{"bob", "", "ada\x00", "Ada"} {
		assert.False(t, isOwn(id, user), user)
	}
	for _, other := range []string{"", "-", "r1", id + "A", id[1:]} {
		assert.False(t, isOwn(other, "ada"), other)
	}
}
