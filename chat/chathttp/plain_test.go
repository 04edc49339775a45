package chathttp

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/seed67206a74/parley/events"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// large has a chat id that JavaScript would round.
var large = Config{Room: func(Visitor, string) events.ID { return events.IntID(9007199254740993) }}

func TestSSE_mapsWholeAnswer(t *testing.T) {
	withSite(t, whole, large, func(t *testing.T, s *site) {
		all := requestID.ReplaceAllString(s.send("GET", "/sse?chatId=room&text=What+time", "").body(), "R")
		id := `{"chatId":"9007199254740993","requestId":"R",`
		assert.Equal(t, `:

id: R.1
event: begin
data: {"requestId":"R"}

id: R.2
event: ai:processing
data: `+id+`"status":"working","etaMs":100,"reason":"busy"}

id: R.3
event: ai:token
data: `+id+`"token":"It is ","index":0}

id: R.4
event: ai:tool_call
data: `+id+`"callId":"c1","toolName":"clock","args":{"zone":"UTC"}}

id: R.5
event: ai:tool_result
data: `+id+`"callId":"c1","toolName":"clock","result":{"time":"12:00"}}

id: R.6
event: ai:tool_result
data: `+id+`"callId":"c2","toolName":"date","result":{"error":"no calendar"}}

id: R.7
event: ai:token
data: `+id+`"token":"noon","index":1}

id: R.8
event: ai:token
data: `+id+`"token":" \u2028😀\n","index":2}

id: R.9
event: ai:message
data: `+id+`"messageId":"m1","role":"assistant","text":"It is noon \u2028😀\n",`+
			`"createdAt":"2026-03-04T05:06:07Z","usage":{"totalTokens":7},"options":["Thanks","Why?"]}

`, all)
	})
}

func TestSSE_continuesAfterLastEventID(t *testing.T) {
	withSite(t, pauses, Config{OnLeave: ContinueOnLeave}, func(t *testing.T, s *site) {
		var all []string
		var last string
		path, header := "/sse?text=Count", []string{}
		for range 20 {
			r := s.send("GET", path, "", header...)
			if r.StatusCode == 204 {
				break
			}
			for range 4 { // then the connection is cut
				line, err := r.lines.ReadString('\n')
				if err != nil {
					break
				}
				if id, ok := strings.CutPrefix(line, "id: "); ok {
					last = strings.TrimSpace(id)
					all = append(all, r.frame())
				}
			}
			r.leave()
			header = []string{"Last-Event-ID", last}
		}
		require.Len(t, all, 14, "begin, two statuses, ten tokens and the message")
		for i := range 10 {
			assert.Contains(t, all[3+i], `"index":`+itoa(i))
		}
		assert.Len(t, s.questions(), 1)
		s.status(204, s.send("GET", path, "", "Last-Event-ID", last)) // or it would connect again
		time.Sleep(DefaultReplayTime + time.Second)
		s.status(204, s.send("GET", path, "", "Last-Event-ID", last))
		s.status(204, s.send("GET", path, "", "Last-Event-ID", "../../x.-5"))
		assert.Len(t, s.questions(), 1)
	})
}

func TestSSE_hasErrorEventThatIsNotNamedError(t *testing.T) {
	withSite(t, answerWith(events.AIError{Code: "E1", Message: "secret"}), Config{}, func(t *testing.T, s *site) {
		assert.Contains(t, s.send("GET", "/sse?text=Hi", "").body(),
			"event: ai:error\ndata: {\"code\":\"E1\",\"message\":\"The backend has reported an error.\"}\n\n")
	})
}

// A page of another origin can send a GET, for example by an image.
func TestSSE_refusesQuestionOfOtherOrigin(t *testing.T) {
	withSite(t, nil, Config{}, func(t *testing.T, s *site) {
		s.status(403, s.send("GET", "/sse?text=Hi", "", "Sec-Fetch-Site", "cross-site"))
		s.status(405, s.send("HEAD", "/sse?text=Hi", ""))
		s.status(400, s.send("GET", "/sse", ""))
		assert.Empty(t, s.questions())
	})
}

func TestNDJSON_endsWithLineOfResult(t *testing.T) {
	withSite(t, whole, Config{}, func(t *testing.T, s *site) {
		r := s.send("POST", "/ndjson", `{"chatId":"room","text":"Hi"}`)
		assert.Equal(t, "application/x-ndjson", r.Header.Get("Content-Type"))
		lines := strings.Split(strings.TrimSpace(requestID.ReplaceAllString(r.body(), "R")), "\n")
		assert.Equal(t, `{"n":1,"type":"begin","data":{"requestId":"R"}}`, lines[0])
		assert.Equal(t, `{"n":3,"type":"ai:token","data":{"chatId":"room","requestId":"R","token":"It is ","index":0}}`, lines[2])
		assert.Equal(t, `{"n":10,"type":"end","data":{"requestId":"R"}}`, lines[9])
		assert.Len(t, lines, 10)
	})
	withSite(t, answerWith(events.AIError{Code: "E1"}), Config{}, func(t *testing.T, s *site) {
		assert.Contains(t, s.send("POST", "/ndjson", `{"chatId":"room","text":"Hi"}`).body(),
			`{"n":2,"type":"error","data":{"code":"E1","message":"The backend has reported an error."}}`)
	})
}

func TestNDJSON_resumesAndSendsEmptyLinesInSilence(t *testing.T) {
	answer := func(_ context.Context, _ events.UserMessage, emit func(events.Event)) {
		time.Sleep(40 * time.Second)
		emit(events.AIMessage{MessageID: "m1", Text: "Late"})
	}
	withSite(t, answer, Config{OnLeave: ContinueOnLeave}, func(t *testing.T, s *site) {
		r := s.send("POST", "/ndjson", `{"chatId":"room","text":"Hi"}`)
		assert.Regexp(t, `^\n.*\n\n\n.*\n.*\n$`, r.body())
		again := s.send("GET", "/ndjson/"+r.Header.Get("X-Request-Id")+"?after=1", "").body()
		assert.Regexp(t, `^\n{"n":2,"type":"ai:message".*\n{"n":3,"type":"end".*\n$`, again)
	})
}
