package chathttp

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/stretchr/testify/assert"
)

func TestOnLeave_abortsAtOnceByDefault(t *testing.T) {
	withSite(t, pauses, Config{}, func(t *testing.T, s *site) {
		r := s.ask("room", "Count")
		r.until(`"delta":"1 "`)
		s.status(204, s.send("GET", "/chat/room/stream", ""))
		r.leave()
		synctest.Wait()
		assert.Equal(t, 1, s.aborts())
		s.status(204, s.send("GET", "/chat/room/stream", ""))
	})
}

func TestOnLeave_continuesAnswer(t *testing.T) {
	withSite(t, pauses, Config{OnLeave: ContinueOnLeave}, func(t *testing.T, s *site) {
		r := s.ask("room", "Count")
		r.until(`"delta":"1 "`)
		r.leave()
		time.Sleep(3 * time.Second)
		tabs := []*reply{s.send("GET", "/chat/room/stream", ""), s.send("GET", "/chat/room/stream", "")}
		all := tabs[0].frames()
		assert.Equal(t, "[DONE]", all[len(all)-1])
		assert.Equal(t, all, tabs[1].frames())
		assert.Zero(t, s.aborts())
		assert.Equal(t, all, s.send("GET", "/chat/room/stream", "").frames(), "within ReplayTime")
		time.Sleep(DefaultReplayTime + time.Second)
		s.status(204, s.send("GET", "/chat/room/stream", ""))
		assert.Len(t, s.questions(), 1)
	})
}

func TestOnLeave_abortsAfterGrace(t *testing.T) {
	withSite(t, pauses, Config{LeaveGrace: 2 * time.Second}, func(t *testing.T, s *site) {
		r := s.ask("room", "Count")
		r.until(`"delta":"0 "`)
		r.leave()
		time.Sleep(time.Second)
		again := s.status(200, s.send("GET", "/chat/room/stream", ""))
		again.until(`"delta":"4 "`)
		assert.Zero(t, s.aborts())
		again.leave()
		time.Sleep(3 * time.Second)
		assert.Equal(t, 1, s.aborts())
		s.status(204, s.send("GET", "/chat/room/stream", ""))
	})
}

func TestOnLeave_abortsWhileQuestionWaits(t *testing.T) {
	withSite(t, pauses, Config{AskTimeout: time.Hour}, func(t *testing.T, s *site) {
		s.backend.Handle("user:message", chattest.Refuse(chattest.ErrNoReply))
		r := s.ask("room", "Count") // the question is written, and is not answered
		synctest.Wait()
		r.leave()
		assert.Equal(t, 1, s.aborts())
	})
}

func TestReplay_isLimitedInBytes(t *testing.T) {
	withSite(t, nil, Config{OnLeave: ContinueOnLeave, MaxReplayBytes: 12_000}, func(t *testing.T, s *site) {
		for _, room := range []string{"a", "b", "c", "d"} { // each is about 3,500 bytes
			s.ask(room, "one two three four").body()
		}
		synctest.Wait()
		s.status(204, s.send("GET", "/chat/a/stream", ""))
		s.status(200, s.send("GET", "/chat/d/stream", "")).body()
		s.web.answers.mu.Lock()
		defer s.web.answers.mu.Unlock()
		assert.LessOrEqual(t, s.web.answers.all.bytes, 12_000)
		assert.Len(t, s.web.answers.byRequest, s.web.answers.all.ended)
	})
}

// kept returns the users whose answer in a room can be resumed.
func (s *site) kept(room string, users ...string) (kept []string) {
	s.t.Helper()
	for _, user := range users {
		if r := s.send("GET", "/chat/"+room+"/stream", "", "User", user); r.StatusCode == 200 {
			kept = append(kept, user)
			r.body()
		}
	}
	return kept
}

func TestReplay_isLimitedInNumber(t *testing.T) {
	cfg := Config{OnLeave: ContinueOnLeave, MaxStreamsPerVisitor: 2, MaxStreams: 4}
	withSite(t, nil, cfg, func(t *testing.T, s *site) {
		for _, room := range []string{"a", "b", "c"} {
			s.ask(room, "Hi").body()
			time.Sleep(time.Second)
		}
		s.status(204, s.send("GET", "/chat/a/stream", ""))
		s.status(200, s.send("GET", "/chat/b/stream", "")).body()
		users := []string{"bob", "carl", "dan"}
		for _, user := range users {
			s.ask("d", "Hi", "User", user).body()
			time.Sleep(time.Second)
		}
		synctest.Wait()
		s.status(204, s.send("GET", "/chat/b/stream", ""))
		s.status(200, s.send("GET", "/chat/c/stream", "")).body()
		assert.Equal(t, users, s.kept("d", users...))
	})
}

// A user with many long answers does not drop those of others.
func TestReplay_isDroppedOfUserWithMostMemory(t *testing.T) {
	cfg := Config{OnLeave: ContinueOnLeave, MaxReplayBytes: 400_000}
	withSite(t, nil, cfg, func(t *testing.T, s *site) {
		users := []string{"bob", "carl"}
		for _, user := range users {
			s.ask("d", "Hi", "User", user).body()
			time.Sleep(time.Second)
		}
		for n := range 10 { // each is about 100,000 bytes
			s.ask(itoa(n), strings.Repeat("long ", 600)).body()
			time.Sleep(time.Second)
		}
		assert.Equal(t, users, s.kept("d", users...))
		s.status(204, s.send("GET", "/chat/5/stream", ""))
		s.status(200, s.send("GET", "/chat/9/stream", "")).body()
	})
}

func TestStop_endsAllTabsWithOneAbort(t *testing.T) {
	withSite(t, pauses, Config{OnLeave: ContinueOnLeave}, func(t *testing.T, s *site) {
		tabs := []*reply{s.ask("room", "Count"), s.send("GET", "/chat/room/stream", "")}
		for _, tab := range tabs {
			tab.until(`"delta":"1 "`)
		}
		stale := `{"activeStreamId":"another","assistantMessage":{}}`
		assert.JSONEq(t, `{"success":true,"stopped":false}`, s.send("POST", "/chat/room/stop", stale).body())
		assert.Zero(t, s.aborts())

		current := `{"activeStreamId":"` + tabs[0].Header.Get("X-Workflow-Run-Id") + `"}`
		assert.JSONEq(t, `{"success":true,"stopped":true}`, s.send("POST", "/chat/room/stop", current).body())
		for _, tab := range tabs {
			assert.JSONEq(t, `{"type":"abort"}`, tab.until("abort"))
			assert.JSONEq(t, `{"type":"finish","finishReason":"other"}`, tab.frame())
			assert.Equal(t, []string{"[DONE]"}, tab.frames())
		}
		s.backend.Expect(t, "ai:abort", map[string]any{"reason": "stopped by the user"})
		assert.JSONEq(t, `{"success":true,"stopped":false}`, s.send("POST", "/chat/room/stop", "").body())
		assert.Equal(t, 1, s.aborts())
	})
}

func TestAsk_replacesAnswerOfSameChat(t *testing.T) {
	withSite(t, pauses, Config{OnLeave: ContinueOnLeave}, func(t *testing.T, s *site) {
		first := s.ask("room", "Count")
		first.until(`"delta":"1 "`)
		second := s.ask("room", "Count again")
		first.until("abort")
		second.until(`"delta":"9"`)
		assert.Equal(t, 1, s.aborts())
		assert.NotEqual(t, first.Header.Get("X-Workflow-Run-Id"), second.Header.Get("X-Workflow-Run-Id"))
	})
}

func TestMaxStreams_limitsAnswersAndResponses(t *testing.T) {
	cfg := Config{OnLeave: ContinueOnLeave, MaxStreamsPerVisitor: 2, MaxStreams: 3}
	withSite(t, pauses, cfg, func(t *testing.T, s *site) {
		one, two := s.ask("a", "Count"), s.ask("b", "Count")
		s.status(429, s.ask("c", "Count"))
		s.status(429, s.send("GET", "/chat/a/stream", ""))
		s.status(200, s.ask("a", "Count", "User", "bob"))
		s.status(503, s.ask("a", "Count", "User", "eve"))
		one.leave()
		two.leave()
		synctest.Wait()
		s.status(429, s.ask("c", "Count")) // the answers continue
		s.status(200, s.send("GET", "/chat/a/stream", "")).leave()
		time.Sleep(11 * time.Second)
		s.status(200, s.ask("c", "Count"))
	})
}

func TestServer_keepsNothingAfterEnd(t *testing.T) {
	withSite(t, pauses, Config{OnLeave: ContinueOnLeave}, func(t *testing.T, s *site) {
		s.ask("a", "Count").body()
		left := s.ask("b", "Count")
		left.leave()
		time.Sleep(time.Hour)
		a := &s.web.answers
		a.mu.Lock()
		defer a.mu.Unlock()
		assert.Equal(t, []int{0, 0, 0}, []int{len(a.byRequest), len(a.byChat), len(a.users)})
		assert.Equal(t, load{}, a.all)
	})
}

func TestClose_endsAnswersAndRefusesRequests(t *testing.T) {
	withSite(t, pauses, Config{OnLeave: ContinueOnLeave}, func(t *testing.T, s *site) {
		r := s.ask("room", "Count")
		r.until(`"delta":"1 "`)
		assert.NoError(t, s.web.Close())
		assert.Contains(t, r.until("data-error"), `"code":"stopped"`)
		s.status(503, s.ask("room", "Count"))
		s.status(204, s.send("GET", "/chat/room/stream", ""))
	})
}

func TestAnswerTimeout_endsAnswer(t *testing.T) {
	withSite(t, pauses, Config{AnswerTimeout: 3 * time.Second}, func(t *testing.T, s *site) {
		assert.Contains(t, s.ask("room", "Count").until("data-error"), `"code":"timeout"`)
		assert.Equal(t, 1, s.aborts())
	})
}
