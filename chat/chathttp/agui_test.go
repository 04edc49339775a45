package chathttp

import (
	"strings"
	"testing"

	"github.com/seed67206a74/parley/events"
	"github.com/stretchr/testify/assert"
)

// run starts a run of AG-UI.
func (s *site) run() *reply {
	s.t.Helper()
	return s.send("POST", "/agui", `{"threadId":"room","runId":"run-1","messages":[{"id":"1","role":"user","content":"Hi"}]}`)
}

func TestAGUI_mapsWholeAnswer(t *testing.T) {
	withSite(t, whole, Config{}, func(t *testing.T, s *site) {
		all := requestID.ReplaceAllString(s.run().body(), "R")
		assert.Equal(t, `:

data: {"runId":"run-1","threadId":"room","type":"RUN_STARTED"}
data: {"name":"processing","type":"CUSTOM","value":{"etaMs":100,"reason":"busy","status":"working"}}
data: {"messageId":"R-1","role":"assistant","type":"TEXT_MESSAGE_START"}
data: {"delta":"It is ","messageId":"R-1","type":"TEXT_MESSAGE_CONTENT"}
data: {"messageId":"R-1","type":"TEXT_MESSAGE_END"}
data: {"toolCallId":"c1","toolCallName":"clock","type":"TOOL_CALL_START"}
data: {"delta":"{\"zone\":\"UTC\"}","toolCallId":"c1","type":"TOOL_CALL_ARGS"}
data: {"toolCallId":"c1","type":"TOOL_CALL_END"}
data: {"content":"{\"time\":\"12:00\"}","messageId":"R-2","role":"tool","toolCallId":"c1","type":"TOOL_CALL_RESULT"}
data: {"toolCallId":"c2","toolCallName":"date","type":"TOOL_CALL_START"}
data: {"delta":"{}","toolCallId":"c2","type":"TOOL_CALL_ARGS"}
data: {"toolCallId":"c2","type":"TOOL_CALL_END"}
data: {"content":"{\"error\":\"no calendar\"}","messageId":"R-3","role":"tool","toolCallId":"c2","type":"TOOL_CALL_RESULT"}
data: {"messageId":"R-4","role":"assistant","type":"TEXT_MESSAGE_START"}
data: {"delta":"noon","messageId":"R-4","type":"TEXT_MESSAGE_CONTENT"}
data: {"delta":" \u2028😀\n","messageId":"R-4","type":"TEXT_MESSAGE_CONTENT"}
data: {"messageId":"R-4","type":"TEXT_MESSAGE_END"}
data: {"name":"options","type":"CUSTOM","value":["Thanks","Why?"]}
data: {"outcome":{"type":"success"},"result":{"createdAt":"2026-03-04T05:06:07Z","messageId":"m1"},"runId":"run-1","threadId":"room",`+
			`"type":"RUN_FINISHED","usage":[{"inputTokens":0,"outputTokens":0,"totalTokens":7}]}
`, strings.ReplaceAll(all, "}\n\n", "}\n"))
	})
}

func TestAGUI_endsWithErrorOrCancellation(t *testing.T) {
	withSite(t, answerWith(events.AIToken{Token: "We"}, events.AIError{Code: "E1", Message: "secret"}), Config{},
		func(t *testing.T, s *site) {
			all := s.run().frames()
			assert.JSONEq(t, `{"type":"RUN_ERROR","code":"E1","message":"The backend has reported an error."}`, all[len(all)-1])
		})
	withSite(t, pauses, Config{}, func(t *testing.T, s *site) {
		r := s.run()
		r.until(`"1 "`)
		s.send("POST", "/chat/room/stop", "").body()
		all := r.frames()
		assert.Contains(t, all[len(all)-2], "TEXT_MESSAGE_END")
		assert.JSONEq(t, `{"type":"RUN_FINISHED","threadId":"room","runId":"run-1","outcome":{"type":"cancelled"}}`, all[len(all)-1])
	})
}
