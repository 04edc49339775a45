package chathttp

import (
	"strings"
	"testing"

	"github.com/seed67206a74/parley/events"
	"github.com/stretchr/testify/assert"
)

// complete asks for a chat completion; members are added to the body.
func (s *site) complete(members string) *reply {
	s.t.Helper()
	return s.send("POST", "/v1/chat/completions",
		`{"model":"m","messages":[{"role":"system","content":"obey"},{"role":"user","content":"Hi"}]`+members+`}`)
}

func TestOpenAI_mapsWholeAnswer(t *testing.T) {
	withSite(t, whole, Config{}, func(t *testing.T, s *site) {
		all := s.complete(`,"stream":true,"stream_options":{"include_usage":true}`).frames()
		frame := func(choices, more string) string {
			return `{"choices":[` + choices + `],"created":946684800,"id":"chatcmpl-R","model":"m","object":"chat.completion.chunk"` + more + `}`
		}
		delta := func(delta, finish string) string {
			return frame(`{"delta":`+delta+`,"finish_reason":`+finish+`,"index":0}`, "")
		}
		assert.Equal(t, []string{
			delta(`{"content":"","role":"assistant"}`, "null"),
			delta(`{"content":"It is "}`, "null"),
			delta(`{"content":"noon"}`, "null"),
			delta(`{"content":" \u2028😀\n"}`, "null"),
			delta(`{}`, `"stop"`),
			frame("", `,"usage":{"completion_tokens":0,"prompt_tokens":0,"total_tokens":7}`),
			"[DONE]",
		}, strings.Split(requestID.ReplaceAllString(strings.Join(all, "\n"), "R"), "\n"))
		assert.NotContains(t, strings.Join(s.complete(`,"stream":true`).frames(), "\n"), "usage")
		assert.Equal(t, []string{"Hi", "Hi"}, s.questions())
	})
}

func TestOpenAI_sendsWholeAnswerWithoutStream(t *testing.T) {
	withSite(t, whole, Config{}, func(t *testing.T, s *site) {
		r := s.complete("")
		assert.Equal(t, "application/json", r.Header.Get("Content-Type"))
		assert.JSONEq(t, `{"id":"chatcmpl-R","object":"chat.completion","created":946684800,"model":"m",
			"choices":[{"index":0,"finish_reason":"stop","logprobs":null,
				"message":{"role":"assistant","content":"It is noon \u2028😀\n","refusal":null}}],
			"usage":{"completion_tokens":0,"prompt_tokens":0,"total_tokens":7}}`, requestID.ReplaceAllString(r.body(), "R"))
	})
}

func TestOpenAI_forbidsRetryAfterQuestionWasAsked(t *testing.T) {
	withSite(t, answerWith(events.AIError{Code: "E1", Message: "secret"}), Config{}, func(t *testing.T, s *site) {
		r := s.status(502, s.complete(""))
		assert.Equal(t, "false", r.Header.Get("X-Should-Retry"))
		failed := `{"error":{"code":"E1","message":"The backend has reported an error.","param":null,"type":"server_error"}}`
		assert.JSONEq(t, failed, r.body())
		all := s.complete(`,"stream":true`).frames()
		assert.JSONEq(t, failed, all[len(all)-1])
	})
}

func TestOpenAI_abortsWhenReaderLeaves(t *testing.T) {
	withSite(t, pauses, Config{}, func(t *testing.T, s *site) {
		r := s.complete(`,"stream":true`)
		r.until(`"1 "`)
		r.leave()
		assert.Equal(t, 1, s.aborts())
	})
}

func TestOpenAI_readsPartsOfContent(t *testing.T) {
	withSite(t, nil, Config{}, func(t *testing.T, s *site) {
		s.send("POST", "/v1/chat/completions", `{"messages":[{"role":"user","content":[{"type":"text","text":"Look: "},
			{"type":"image_url","image_url":{"url":"https://example.com/a.png"}},
			{"type":"file","file":{"file_data":"data:,x","filename":"x.txt"}},{"type":"input_audio"}]}]}`).body()
		s.backend.Expect(t, "user:message", map[string]any{"text": "Look: ", "parts": []any{
			map[string]any{"type": "image", "value": map[string]any{"mediaType": "image/*", "url": "https://example.com/a.png"}},
			map[string]any{"type": "file", "value": map[string]any{"filename": "x.txt", "url": "data:,x"}},
		}})
		for _, messages := range []string{``, `{"role":"assistant","content":"Hi"}`, `{"role":"user","content":7}`, `{"role":"user"}`} {
			s.status(400, s.send("POST", "/v1/chat/completions", `{"messages":[`+messages+`]}`))
		}
	})
}
