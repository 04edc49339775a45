package chatotel

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	semconv "go.opentelemetry.io/otel/semconv/v1.41.0"
	"go.opentelemetry.io/otel/semconv/v1.41.0/genaiconv"
)

func TestConventions_namesAreThoseOfVersion(t *testing.T) {
	assert.True(t, strings.HasSuffix(semconv.SchemaURL, "/"+Conventions), semconv.SchemaURL)
	assert.Equal(t, []string{
		attrOperation, attrProvider, attrConversation, attrModel, attrStream, attrResponse, attrAnswerModel, attrFinish,
		attrFirstChunk, attrInputTokens, attrOutputTokens, attrTokenType, attrTool, attrToolType, attrToolCall,
		attrToolArgs, attrToolResult, attrInput, attrOutput, attrError, attrAddress, attrPort, attrDirection,
	}, []string{
		string(semconv.GenAIOperationNameKey), string(semconv.GenAIProviderNameKey), string(semconv.GenAIConversationIDKey),
		string(semconv.GenAIRequestModelKey), string(semconv.GenAIRequestStreamKey), string(semconv.GenAIResponseIDKey),
		string(semconv.GenAIResponseModelKey), string(semconv.GenAIResponseFinishReasonsKey),
		string(semconv.GenAIResponseTimeToFirstChunkKey), string(semconv.GenAIUsageInputTokensKey),
		string(semconv.GenAIUsageOutputTokensKey), string(semconv.GenAITokenTypeKey), string(semconv.GenAIToolNameKey),
		string(semconv.GenAIToolTypeKey), string(semconv.GenAIToolCallIDKey), string(semconv.GenAIToolCallArgumentsKey),
		string(semconv.GenAIToolCallResultKey), string(semconv.GenAIInputMessagesKey), string(semconv.GenAIOutputMessagesKey),
		string(semconv.ErrorTypeKey), string(semconv.ServerAddressKey), string(semconv.ServerPortKey),
		string(semconv.NetworkIODirectionKey),
	})
	assert.Equal(t, []string{operationChat, operationTool, tokensInput, tokensOutput, errorOther}, []string{
		semconv.GenAIOperationNameChat.Value.AsString(), semconv.GenAIOperationNameExecuteTool.Value.AsString(),
		semconv.GenAITokenTypeInput.Value.AsString(), semconv.GenAITokenTypeOutput.Value.AsString(),
		semconv.ErrorTypeOther.Value.AsString(),
	})
	assert.Equal(t, []string{metricDuration, metricFirstChunk, metricChunk, metricUsage}, []string{
		genaiconv.ClientOperationDuration{}.Name(), genaiconv.ClientOperationTimeToFirstChunk{}.Name(),
		genaiconv.ClientOperationTimePerOutputChunk{}.Name(), genaiconv.ClientTokenUsage{}.Name(),
	})
}
