package web

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/seed67206a74/parley/chat/chathttp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// An outcome is the state of a chat of the AI SDK after an answer.
type outcome struct {
	Status, Error, Text string
	Message             json.RawMessage
	Data                []struct {
		Type string
		Data json.RawMessage
	}
}

func TestAISDK_readsEveryAnswerInVersions5To7(t *testing.T) {
	s := newSite(t, chathttp.Config{OnLeave: chathttp.ContinueOnLeave}, nil)
	var result struct {
		Results map[string]map[string]json.RawMessage
		None    int
	}
	codes := slices.Sorted(maps.Keys(endings))
	s.run("aisdk.mjs", map[string]any{"codes": codes}, &result)
	assert.Equal(t, 204, result.None, "of a chat without an answer")
	require.Len(t, result.Results, 3)
	for version, results := range result.Results {
		get := func(name string) (o outcome) {
			require.NoError(t, json.Unmarshal(results[name], &o), name)
			return o
		}
		t.Run(version, func(t *testing.T) {
			whole := get("whole")
			assert.Equal(t, "ready", whole.Status, whole.Error)
			checkWhole(t, whole)
			checkWhole(t, get("bytewise"))
			atOnce := get("all at once")
			assert.Equal(t, []string{"ready", "All at once"}, []string{atOnce.Status, atOnce.Text})
			assert.Contains(t, string(get("different").Message), `"text":"Final"`)

			failures := map[string]string{"fail": "E_MODEL", "lost": "gap"}
			for _, code := range codes {
				failures["end "+code] = code
			}
			for question, code := range failures {
				failed := get(question)
				assert.Equal(t, "error", failed.Status)
				require.Len(t, failed.Data, 1)
				assert.Equal(t, "data-error", failed.Data[0].Type)
				assert.Contains(t, string(failed.Data[0].Data), `"code":"`+code+`"`)
				assert.NotContains(t, failed.Error, "secret")
			}

			var stopped struct {
				Running []string
				Tabs    []outcome
			}
			require.NoError(t, json.Unmarshal(results["stopped"], &stopped))
			assert.Equal(t, []string{"streaming", "streaming"}, stopped.Running, "a stale stop has no effect")
			assert.Equal(t, "ready", stopped.Tabs[0].Status)
			assert.JSONEq(t, string(stopped.Tabs[0].Message), string(stopped.Tabs[1].Message))

			cut := get("cut")
			assert.Equal(t, []string{"ready", "0 1 2 3 4 5 6 7 8 9"}, []string{cut.Status, cut.Text})
			if version != "v5" {
				assert.Equal(t, cut.Text, get("again").Text)
			}
			edited := get("edited")
			assert.Equal(t, []string{"ready", "You said: edited"}, []string{edited.Status, edited.Text})
			assert.Equal(t, "error", get("continued").Status, "the last message is no question")
			var ids map[string][]string
			require.NoError(t, json.Unmarshal(results["ids"], &ids))
			for _, id := range []string{"__proto__", "constructor", "a/../b", "..."} {
				assert.Equal(t, []string{"ready", "ready"}, ids[id], "%s is asked, resumed and stopped", id)
			}
			for _, id := range []string{".", "..", "/"} {
				assert.Equal(t, "error", ids[id][0])
				assert.Contains(t, ids[id][1], "bad_chat_id")
			}
		})
	}
	assert.Equal(t, []int{3, 6, 3, 15}, []int{s.questions("first"), s.questions("edited"), s.questions("slow"), s.questions("endless")})
	assert.Len(t, s.backend.Received("ai:abort"), 15)
}

// checkWhole checks the message of the question "whole".
func checkWhole(t *testing.T, o outcome) {
	t.Helper()
	var message struct {
		ID       string
		Metadata struct {
			RequestID, MessageID, CreatedAt string
			Usage                           map[string]int
		}
		Parts []map[string]any
	}
	require.NoError(t, json.Unmarshal(o.Message, &message))
	assert.Equal(t, message.ID, message.Metadata.RequestID)
	assert.Equal(t, "m1", message.Metadata.MessageID)
	assert.Equal(t, "2026-03-04T05:06:07Z", message.Metadata.CreatedAt)
	assert.Equal(t, map[string]int{"promptTokens": 3, "completionTokens": 4, "totalTokens": 7}, message.Metadata.Usage)
	var kinds []string
	for _, part := range message.Parts {
		kinds = append(kinds, part["type"].(string))
	}
	assert.Equal(t, []string{"step-start", "text", "dynamic-tool", "dynamic-tool", "text", "data-options"}, kinds)
	clock, date := message.Parts[2], message.Parts[3]
	assert.Equal(t, []any{"clock", "output-available", map[string]any{"zone": "UTC"}, map[string]any{"time": "12:00"}},
		[]any{clock["toolName"], clock["state"], clock["input"], clock["output"]})
	assert.Equal(t, []any{"date", "output-error", "no calendar"}, []any{date["toolName"], date["state"], date["errorText"]})
	assert.Equal(t, wholeText, o.Text)
	assert.Equal(t, []any{"Thanks", "Why?"}, message.Parts[5]["data"])
	require.Len(t, o.Data, 2, "the status and the options reach onData")
	assert.Equal(t, "data-status", o.Data[0].Type)
}

func TestWorkflowTransport_reconnectsAfterEachCut(t *testing.T) {
	s := newSite(t, chathttp.Config{OnLeave: chathttp.ContinueOnLeave}, cutAfter(9))
	var o outcome
	s.run("workflow.mjs", map[string]any{}, &o)
	assert.Equal(t, []string{"ready", longText}, []string{o.Status, o.Text}, o.Error)
	assert.Equal(t, 1, s.questions("long"))
	assert.Equal(t, 1, s.count("POST"))
	assert.Equal(t, 3, s.count("GET"), "after each of three cuts in 33 frames")
}

type reactResult struct {
	Unmounted, Tools []string
	Resumed, Outside string
}

func TestReact_unmountsWithoutAbortAndResumesOnce(t *testing.T) {
	s := newSite(t, chathttp.Config{OnLeave: chathttp.ContinueOnLeave}, nil)
	var result reactResult
	s.run("react.mjs", map[string]any{"resume": true}, &result)
	assert.Equal(t, []string{"POST"}, result.Unmounted)
	assert.Equal(t, "0 1 2 3 4 5 6 7 8 9", result.Resumed)
	assert.Equal(t, "0 1 2 3 4 5 6 7 8 9", result.Outside)
	for _, chat := range []string{"react", "again"} {
		assert.Equal(t, 1, s.count("GET /api/chat/"+chat+"/stream"), "StrictMode runs each effect twice, and sends one request")
	}
	assert.Equal(t, []string{"POST"}, result.Tools, "the page neither runs the tools nor asks again")
	assert.Equal(t, 2, s.questions("slow"))
	assert.Empty(t, s.backend.Received("ai:abort"))
}

func TestReact_abortsOnceWhenUnmounted(t *testing.T) {
	s := newSite(t, chathttp.Config{}, nil)
	var result reactResult
	s.run("react.mjs", map[string]any{}, &result)
	s.backend.Expect(t, "ai:abort", nil)
	response, err := http.Get(s.URL + "/api/chat/react/stream")
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	http.DefaultClient.CloseIdleConnections()
	assert.Equal(t, 204, response.StatusCode)
	assert.Len(t, s.backend.Received("ai:abort"), 1)
}

func TestEventSource_continuesAfterEachCut(t *testing.T) {
	s := newSite(t, chathttp.Config{OnLeave: chathttp.ContinueOnLeave, ReplayTime: time.Minute}, cutAfter(9))
	var result struct {
		Seen []struct {
			Name, ID string
			Data     struct {
				Index       int
				Token, Text string
			}
		}
	}
	s.run("eventsource.mjs", map[string]any{}, &result)
	// Three events are before the tokens, and one is after them.
	require.Len(t, result.Seen, 28)
	request, _, _ := strings.Cut(result.Seen[0].ID, ".")
	var text strings.Builder
	for i, event := range result.Seen {
		assert.Equal(t, request+"."+strconv.Itoa(i+1), event.ID, "each event once, in order")
		if i < 3 || i > 26 {
			assert.Equal(t, []string{"begin", "ai:processing", "ai:processing", "ai:message"}[min(i, 3)], event.Name)
			continue
		}
		assert.Equal(t, []any{"ai:token", i - 3}, []any{event.Name, event.Data.Index})
		text.WriteString(event.Data.Token)
	}
	assert.Equal(t, []string{longText, longText}, []string{text.String(), result.Seen[27].Data.Text})
	assert.Equal(t, 1, s.questions("long"))
	assert.Equal(t, 5, s.count("GET"), "one asks, three continue after a cut, and one gets 204")
}
