package web

import (
	"encoding/json"
	"testing"

	"github.com/seed67206a74/parley/chat/chathttp"
	"github.com/stretchr/testify/assert"
)

func TestHttpAgent_readsAnswersAndEndings(t *testing.T) {
	s := newSite(t, chathttp.Config{OnLeave: chathttp.ContinueOnLeave}, nil)
	type run struct {
		Outcome  string
		Messages []struct {
			ID, Role  string
			Content   json.RawMessage
			ToolCalls []struct {
				Function struct{ Name, Arguments string }
			}
			ToolCallID string
		}
		Last map[string]any
	}
	var result struct {
		Whole, Fail, Stopped run
		Random               []int
		Warnings             []string
	}
	s.run("agui.mjs", map[string]any{"random": 30}, &result)
	assert.Equal(t, "finished", result.Whole.Outcome)
	var roles []string
	for _, message := range result.Whole.Messages {
		roles = append(roles, message.Role)
	}
	assert.Equal(t, []string{"user", "assistant", "assistant", "tool", "assistant", "tool", "assistant"}, roles)
	assert.JSONEq(t, `{"zone":"UTC"}`, result.Whole.Messages[2].ToolCalls[0].Function.Arguments)
	assert.JSONEq(t, `"noon \u2028👩\u200d💻"`, string(result.Whole.Messages[6].Content))
	assert.Equal(t, "RUN_FINISHED", result.Whole.Last["type"])
	assert.Equal(t, []any{"RUN_ERROR", "E_MODEL"}, []any{result.Fail.Last["type"], result.Fail.Last["code"]})
	assert.Equal(t, map[string]any{"type": "cancelled"}, result.Stopped.Last["outcome"])
	assert.Len(t, result.Random, 30, "each event of random answers is valid, and their order as well")
	assert.Empty(t, result.Warnings)
}
