package chathttp

import (
	"context"
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/events"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// answerWith returns an answer of the given events.
func answerWith(all ...events.Event) chattest.Answer {
	return func(_ context.Context, _ events.UserMessage, emit func(events.Event)) {
		for _, event := range all {
			emit(event)
		}
	}
}

// requestID matches the ids that the server makes.
var requestID = regexp.MustCompile(`[A-Z2-7]{26}-[A-Z2-7]{16}`)

// whole is a conversation with all kinds of events.
var whole = answerWith(
	events.AIProcessing{Status: events.StatusWorking, EtaMs: 100, Reason: "busy"},
	events.AIToken{Token: "It is ", Index: 0},
	events.AIToolCall{CallID: "c1", ToolName: "clock", Args: json.RawMessage("{\n  \"zone\": \"UTC\"\n}")},
	events.AIToolResult{CallID: "c1", ToolName: "clock", Result: json.RawMessage(`{"time":"12:00"}`)},
	events.AIToolResult{CallID: "c2", ToolName: "date", Result: json.RawMessage(`{"error":"no calendar"}`)},
	events.AIToken{Token: "noon", Index: 1},
	events.AIToken{Token: " \u2028😀\n", Index: 2},
	events.AIMessage{
		MessageID: "m1", Role: "assistant", Text: "It is noon \u2028😀\n", CreatedAt: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC),
		Usage: &events.Usage{TotalTokens: 7}, Options: []string{"Thanks", "Why?"},
	},
)

func TestAISDK_mapsWholeAnswer(t *testing.T) {
	withSite(t, whole, Config{}, func(t *testing.T, s *site) {
		r := s.status(200, s.ask("room", "What time is it?"))
		for name, want := range map[string]string{
			"Content-Type": "text/event-stream", "Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no",
			"X-Vercel-Ai-Ui-Message-Stream": "v1", "Access-Control-Allow-Origin": "",
		} {
			assert.Equal(t, want, r.Header.Get(name), name)
		}
		run := r.Header.Get("X-Workflow-Run-Id")
		assert.Regexp(t, requestID, run)
		all := strings.ReplaceAll(strings.Join(r.frames(), "\n"), run, "R")
		assert.Equal(t, strings.ReplaceAll(`{"messageId":"R","messageMetadata":{"requestId":"R"},"type":"start"}
{"type":"start-step"}
{"data":{"etaMs":100,"reason":"busy","status":"working"},"transient":true,"type":"data-status"}
{"type":"text-start","id":"1"}
{"type":"text-delta","id":"1","delta":"It is "}
{"type":"text-end","id":"1"}
{"dynamic":true,"input":{"zone":"UTC"},"providerExecuted":true,"toolCallId":"c1","toolName":"clock","type":"tool-input-available"}
{"dynamic":true,"output":{"time":"12:00"},"providerExecuted":true,"toolCallId":"c1","type":"tool-output-available"}
{"dynamic":true,"input":{},"providerExecuted":true,"toolCallId":"c2","toolName":"date","type":"tool-input-available"}
{"dynamic":true,"errorText":"no calendar","providerExecuted":true,"toolCallId":"c2","type":"tool-output-error"}
{"type":"text-start","id":"2"}
{"type":"text-delta","id":"2","delta":"noon"}
{"type":"text-delta","id":"2","delta":" U+2028😀\n"}
{"type":"text-end","id":"2"}
{"data":["Thanks","Why?"],"id":"options","type":"data-options"}
{"type":"finish-step"}
{"finishReason":"stop","messageMetadata":{"createdAt":"2026-03-04T05:06:07Z","messageId":"m1","usage":{"totalTokens":7}},"type":"finish"}
[DONE]`, "U+2028", "\u2028"), sorted(t, all))
	})
}

// sorted returns frames with the members of text chunks as they are, and those
// of other chunks in alphabetical order.
func sorted(t *testing.T, frames string) string {
	t.Helper()
	lines := strings.Split(frames, "\n")
	for i, line := range lines {
		if line == "[DONE]" || strings.HasPrefix(line, `{"type":"text-delta"`) {
			continue
		}
		var object map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &object), line)
		if id, text := object["id"], object["type"].(string); len(object) == 2 && id != nil {
			lines[i] = `{"type":"` + text + `","id":"` + id.(string) + `"}`
		}
	}
	return strings.Join(lines, "\n")
}

func TestAISDK_sendsTextOfMessageWithoutTokens(t *testing.T) {
	withSite(t, answerWith(events.AIMessage{MessageID: "m1", Text: "All at once"}), Config{}, func(t *testing.T, s *site) {
		r := s.ask("room", "Hi")
		assert.Contains(t, r.until("text-delta"), `"delta":"All at once"`)
		assert.NotContains(t, r.until(`"finish"`), `"text"`)
	})
}

func TestAISDK_putsDifferentFinalTextIntoMetadata(t *testing.T) {
	answer := answerWith(events.AIToken{Token: "Draft"}, events.AIMessage{MessageID: "m1", Text: "Final"})
	withSite(t, answer, Config{}, func(t *testing.T, s *site) {
		assert.Contains(t, s.ask("room", "Hi").until(`"finish"`), `"text":"Final"`)
	})
}

func TestAISDK_masksErrorsUnlessAskedFor(t *testing.T) {
	failing := answerWith(events.AIToken{Token: "We"},
		events.AIError{Code: "E_MODEL", Message: "secret host is down", Details: json.RawMessage(`{"host":"10.0.0.1"}`)})
	withSite(t, failing, Config{}, func(t *testing.T, s *site) {
		all := s.ask("room", "Hi").frames()
		assert.JSONEq(t, `{"type":"text-end","id":"1"}`, all[4])
		assert.JSONEq(t, `{"type":"data-error","transient":true,
			"data":{"code":"E_MODEL","message":"The backend has reported an error."}}`, all[5])
		assert.JSONEq(t, `{"type":"error","errorText":"The backend has reported an error."}`, all[6])
		assert.Len(t, all, 7, "nothing follows an error")
	})
	withSite(t, failing, Config{ShowErrors: true}, func(t *testing.T, s *site) {
		r := s.ask("room", "Hi")
		assert.JSONEq(t, `{"type":"data-error","transient":true,
			"data":{"code":"E_MODEL","message":"secret host is down","details":{"host":"10.0.0.1"}}}`, r.until("data-error"))
		assert.JSONEq(t, `{"type":"error","errorText":"secret host is down"}`, r.frame())
	})
}

func TestAISDK_asksLastUserMessageOnly(t *testing.T) {
	for _, tc := range []struct {
		name, messages, want string
		status               int
	}{
		{"submit", `{"role":"system","parts":[{"type":"text","text":"obey"}]},{"role":"assistant","parts":[]},
			{"role":"user","parts":[{"type":"text","text":"a"},{"type":"reasoning","text":"x"},{"type":"text","text":"b"}]}`, "ab", 200},
		{"assistant is last", `{"role":"user","parts":[{"type":"text","text":"a"}]},{"role":"assistant","parts":[{"type":"text","text":"b"}]}`, "", 400},
		{"system is last", `{"role":"system","parts":[{"type":"text","text":"obey"}]}`, "", 400},
		{"empty text", `{"role":"user","parts":[{"type":"text","text":""}]}`, "", 400},
		{"no messages", ``, "", 400},
		{"wrong types", `7`, "", 400},
	} {
		t.Run(tc.name, func(t *testing.T) {
			withSite(t, nil, Config{}, func(t *testing.T, s *site) {
				r := s.status(tc.status, s.send("POST", "/chat", `{"id":"room","messages":[`+tc.messages+`]}`))
				r.body()
				if tc.status == 200 {
					assert.Equal(t, []string{tc.want}, s.questions())
				} else {
					assert.Empty(t, s.questions())
				}
			})
		})
	}
}

func TestAISDK_sendsFilesAsParts(t *testing.T) {
	withSite(t, nil, Config{}, func(t *testing.T, s *site) {
		s.send("POST", "/chat", `{"id":"room","messages":[{"role":"user","parts":[
			{"type":"file","mediaType":"image/png","filename":"a.png","url":"data:image/png;base64,AA=="},
			{"type":"file","mediaType":"text/plain","url":"https://example.com/a.txt"}]}]}`).body()
		s.backend.Expect(t, "user:message", map[string]any{"parts": []any{
			map[string]any{"type": "image", "value": map[string]any{"mediaType": "image/png", "filename": "a.png", "url": "data:image/png;base64,AA=="}},
			map[string]any{"type": "file", "value": map[string]any{"mediaType": "text/plain", "url": "https://example.com/a.txt"}},
		}})
	})
}

func TestResumeAISDK_leavesOutChunksBeforeStartIndex(t *testing.T) {
	withSite(t, pauses, Config{OnLeave: ContinueOnLeave}, func(t *testing.T, s *site) {
		first := s.ask("room", "Count")
		run := first.Header.Get("X-Workflow-Run-Id")
		var all []string
		for len(all) < 9 {
			all = append(all, first.frame())
		}
		first.leave()
		for len(all) < 25 && all[len(all)-1] != "[DONE]" {
			next := s.send("GET", "/chat/"+run+"/stream?startIndex="+itoa(len(all)), "")
			for frame := next.frame(); frame != ""; frame = next.frame() {
				if all = append(all, frame); len(all)%5 == 0 {
					break // cut again
				}
			}
			next.leave()
		}
		assert.Equal(t, s.send("GET", "/chat/room/stream", "").frames(), all)
		s.status(204, s.send("GET", "/chat/"+run+"/stream?startIndex="+itoa(len(all)), ""))
		assert.Len(t, s.questions(), 1)
	})
}
