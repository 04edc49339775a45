package chathttp

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/events"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestNew_requiresAuthorize(t *testing.T) {
	_, err := New[*chat.Stream](&chat.Client{}, Config{})
	assert.ErrorIs(t, err, ErrNoAuthorize)
}

func TestRequest_isRefused(t *testing.T) {
	cfg := Config{MaxBody: 200}
	withSite(t, nil, cfg, func(t *testing.T, s *site) {
		for _, tc := range []struct {
			name   string
			status int
			code   string
			reply  *reply
		}{
			{"no user", 401, "unauthorized", s.ask("room", "Hi", "User", "")},
			{"banned", 403, "forbidden", s.ask("room", "Hi", "User", "banned")},
			{"chat of others", 403, "forbidden", s.ask("locked", "Hi")},
			{"other site", 403, "cross_origin", s.ask("room", "Hi", "Sec-Fetch-Site", "cross-site")},
			{"other origin", 403, "cross_origin", s.ask("room", "Hi", "Origin", "https://evil.example")},
			{"stop by other site", 403, "cross_origin", s.send("POST", "/chat/room/stop", "", "Sec-Fetch-Site", "cross-site")},
			{"stop without user", 401, "unauthorized", s.send("POST", "/chat/room/stop", "", "User", "")},
			{"resume without user", 401, "unauthorized", s.send("GET", "/chat/room/stream", "", "User", "")},
			{"large body", 413, "too_large", s.ask("room", strings.Repeat("x", 200))},
			{"no JSON", 400, "bad_request", s.send("POST", "/chat", "<xml>")},
			{"numeric id", 400, "bad_request", s.send("POST", "/chat", `{"id":7}`)},
		} {
			assert.Equal(t, tc.status, tc.reply.StatusCode, tc.name)
			assert.Contains(t, tc.reply.body(), `"code":"`+tc.code+`"`, tc.name)
		}
		assert.Empty(t, s.questions())
	})
}

// A user reaches neither the answer of another user in the same chat, nor one
// in a chat that was taken from the user meanwhile.
func TestAnswer_belongsToItsUser(t *testing.T) {
	banned := map[string]bool{}
	cfg := Config{OnLeave: ContinueOnLeave, Authorize: func(r *http.Request) (Visitor, error) {
		v, err := byHeader(r)
		v.MayUse = func(chat string) bool { return !banned[chat] }
		return v, err
	}}
	withSite(t, pauses, cfg, func(t *testing.T, s *site) {
		r := s.ask("room", "Count")
		run := r.Header.Get("X-Workflow-Run-Id")
		r.until("delta")
		for _, id := range []string{"room", run} {
			s.status(204, s.send("GET", "/chat/"+id+"/stream", "", "User", "eve"))
			assert.Contains(t, s.send("POST", "/chat/"+id+"/stop", "", "User", "eve").body(), `"stopped":false`)
		}
		banned["room"] = true
		synctest.Wait()
		for _, id := range []string{"room", run} {
			s.status(403, s.send("GET", "/chat/"+id+"/stream", ""))
			s.status(403, s.send("POST", "/chat/"+id+"/stop", ""))
		}
		assert.Zero(t, s.aborts())
	})
}

func TestChatID_mayHaveAnyCharacters(t *testing.T) {
	withSite(t, pauses, Config{OnLeave: ContinueOnLeave}, func(t *testing.T, s *site) {
		for _, id := range []string{
			"a/b c?d", "a//b", "a/", "/a", "//", "a/../b", "../x", "...", "%2e", "#", "__proto__", "%2F", "+", " ", "a;b",
			"é\u2028😀", strings.Repeat("x", 1000),
		} {
			r := s.ask(id, "Count", "User", "user of "+url.PathEscape(id))
			r.until("delta")
			path := "/chat/" + url.PathEscape(id)
			again := s.status(200, s.send("GET", path+"/stream", "", "User", "user of "+url.PathEscape(id)))
			again.until("delta")
			assert.Contains(t, s.send("POST", path+"/stop", "", "User", "user of "+url.PathEscape(id)).body(), `"stopped":true`, id)
			s.backend.Expect(t, "user:message", map[string]any{"chatId": id})
		}
	})
}

func TestChatID_fitsPathOfRoute(t *testing.T) {
	withSite(t, nil, Config{}, func(t *testing.T, s *site) {
		for _, id := range []string{".", "..", "/"} {
			for _, r := range []*reply{
				s.ask(id, "Hi"), s.send("GET", "/sse?text=Hi&chatId="+id, ""),
				s.send("POST", "/ndjson", `{"text":"Hi","chatId":"`+id+`"}`),
				s.send("POST", "/agui", `{"threadId":"`+id+`","messages":[{"role":"user","content":"Hi"}]}`),
			} {
				assert.Contains(t, s.status(400, r).body(), `"bad_chat_id"`)
			}
		}
		assert.Empty(t, s.questions())
	})
}

func TestChat_mapsRequestToChat(t *testing.T) {
	cfg := Config{
		Chat: func(r Request) (string, error) {
			if strings.Contains(string(r.Body), "nowhere") {
				return "", nil
			}
			return r.Visitor.UserID.String() + ":" + r.ChatID, nil
		},
		Room: func(_ Visitor, chat string) events.ID { return events.StringID("room " + chat) },
	}
	withSite(t, nil, cfg, func(t *testing.T, s *site) {
		s.ask("1", "Hi").body()
		s.backend.Expect(t, "user:message", map[string]any{"chatId": "room ada:1", "userId": "ada"})
		s.ask("1", "nowhere").body()
		s.ask("1", "nowhere").body()
		rooms := map[string]bool{}
		for _, received := range s.backend.Received("user:message") {
			var q events.UserMessage
			require.NoError(t, received.Decode(&q))
			rooms[q.ChatID.String()] = true
		}
		assert.Len(t, rooms, 3, "each question without a chat has a room of its own")
	})
}

func TestChat_mapsResumeAndStopToo(t *testing.T) {
	cfg := Config{OnLeave: ContinueOnLeave, Chat: func(r Request) (string, error) {
		if r.ChatID == "unknown" {
			return "", errors.New("unknown chat")
		}
		return r.Visitor.UserID.String() + ":" + r.ChatID, nil
	}}
	withSite(t, pauses, cfg, func(t *testing.T, s *site) {
		run := s.ask("1", "Count").Header.Get("X-Workflow-Run-Id")
		for _, path := range []string{"/chat/1/stream", "/chat/" + run + "/stream", "/ndjson/1", "/ndjson/" + run} {
			s.status(200, s.send("GET", path, "")).leave()
		}
		s.status(200, s.send("GET", "/sse?chatId=1", "", "Last-Event-ID", run+".1")).leave()
		for _, id := range []string{"ada:1", "2"} {
			s.status(204, s.send("GET", "/chat/"+id+"/stream", ""))
			assert.Contains(t, s.send("POST", "/chat/"+id+"/stop", "").body(), `"stopped":false`, id)
		}
		s.status(403, s.send("GET", "/chat/unknown/stream", ""))
		s.status(403, s.send("POST", "/chat/unknown/stop", ""))
		assert.Contains(t, s.send("POST", "/chat/1/stop", "").body(), `"stopped":true`)
		s.ask("1", "Count")
		run = s.ask("1", "Count").Header.Get("X-Workflow-Run-Id")
		assert.Contains(t, s.send("POST", "/chat/"+run+"/stop", "").body(), `"stopped":true`)
	})
}

func TestAskTimeout_endsQuestion(t *testing.T) {
	withSite(t, nil, Config{AskTimeout: time.Minute}, func(t *testing.T, s *site) {
		s.backend.Close()
		synctest.Wait()
		asked := time.Now()
		assert.Contains(t, s.ask("room", "Hi").until("data-error"), `"code":"unavailable"`)
		assert.Equal(t, time.Minute, time.Since(asked))

		r := s.status(503, s.complete("")) // one object
		assert.Contains(t, r.body(), `"code":"unavailable"`)
		assert.Empty(t, r.Header.Get("X-Should-Retry"), "the question was not sent")
	})
}
