package web

import (
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/seed67206a74/parley/chat/chathttp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestOpenAINode_readsAnswersAndErrors(t *testing.T) {
	s := newSite(t, chathttp.Config{}, nil)
	type completion struct {
		Finish  string `json:"finish_reason"`
		Message any    // of an answer or of an error
		Usage   *struct {
			Total int `json:"total_tokens"`
		}
		Code   string
		Status int
	}
	var result map[string]completion
	s.run("openai.mjs", map[string]any{}, &result)
	for _, name := range []string{"usage false", "usage true", "create"} {
		assert.Equal(t, "stop", result[name].Finish, name)
		assert.Contains(t, fmt.Sprint(result[name].Message), "content:"+wholeText, name)
		assert.Equal(t, name == "usage false", result[name].Usage == nil, name)
	}
	assert.Equal(t, []any{"E_MODEL", 502}, []any{result["fail"].Code, result["fail"].Status})
	assert.Equal(t, "E_MODEL", result["failStream"].Code)
	assert.Equal(t, 2, s.questions("fail"), "each was asked once, despite the retries of the client")
	assert.Equal(t, 3, s.questions("whole"))
}

func TestOpenAIGo_accumulatesAnswer(t *testing.T) {
	s := newSite(t, chathttp.Config{}, nil)
	client := openai.NewClient(option.WithBaseURL(s.URL+"/v1"), option.WithAPIKey("none"))
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	ask := func(text string, usage bool) (openai.ChatCompletionAccumulator, error) {
		params := openai.ChatCompletionNewParams{
			Model: "parley", Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage(text)},
		}
		if usage {
			params.StreamOptions.IncludeUsage = openai.Bool(true)
		}
		stream := client.Chat.Completions.NewStreaming(t.Context(), params)
		defer stream.Close()
		var all openai.ChatCompletionAccumulator
		for stream.Next() {
			require.True(t, all.AddChunk(stream.Current()))
		}
		return all, stream.Err()
	}
	for _, usage := range []bool{false, true} {
		all, err := ask("whole", usage)
		require.NoError(t, err)
		assert.Equal(t, wholeText, all.Choices[0].Message.Content)
		assert.Equal(t, "stop", all.Choices[0].FinishReason)
		assert.Equal(t, usage, all.Usage.TotalTokens == 7)
	}
	_, err := ask("fail", false)
	require.Error(t, err)
	assert.Contains(t, err.Error(), "E_MODEL")
	_, err = client.Chat.Completions.New(t.Context(), openai.ChatCompletionNewParams{
		Model: "parley", Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage("fail")},
	})
	var failed *openai.Error
	require.True(t, errors.As(err, &failed), err)
	assert.Equal(t, "E_MODEL", failed.Code)
	assert.Equal(t, 2, s.questions("fail"))
}
