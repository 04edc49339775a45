package chatotel_test

import (
	"context"
	"testing"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/chat/chatotel"
	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/events"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

func TestObserver_recordsContentOfToolIfAsked(t *testing.T) {
	o := observed(t, chatotel.Config{Content: true}, chattest.Config{
		Answer: func(ctx context.Context, _ events.UserMessage, emit func(events.Event)) {
			_, _ = chattest.CallTool(ctx, events.AIToolCall{CallID: "c1", ToolName: "weather", Args: []byte(`{"city":"Oslo"}`)})
			emit(events.AIMessage{Text: "Rain."})
		},
	})
	chat.HandleTool(o.client, "weather", func(context.Context, any) (map[string]string, error) {
		return map[string]string{"sky": "rain"}, nil
	})
	_, err := o.client.Answer(t.Context(), chat.Question{UserID: user, Text: "Weather?"})
	require.NoError(t, err)
	_, attributes := o.span(t, "execute_tool weather")
	assert.Equal(t, `{"city":"Oslo"}`, attributes["gen_ai.tool.call.arguments"].AsString())
	assert.Equal(t, `{"sky":"rain"}`, attributes["gen_ai.tool.call.result"].AsString())
}

// The conventions recommend bounds for each metric.
func TestObserver_usesRecommendedBuckets(t *testing.T) {
	o := observed(t, chatotel.Config{}, chattest.Config{Answer: answer})
	_, err := o.client.Answer(t.Context(), chat.Question{UserID: user, Text: "Hi"})
	require.NoError(t, err)
	metrics := o.metrics(t)
	seconds := []float64{0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92}
	for _, name := range []string{"duration", "time_to_first_chunk", "time_per_output_chunk"} {
		data, ok := metrics["gen_ai.client.operation."+name].Data.(metricdata.Histogram[float64])
		require.True(t, ok, name)
		assert.Equal(t, seconds, data.DataPoints[0].Bounds, name)
	}
	data, ok := metrics["gen_ai.client.token.usage"].Data.(metricdata.Histogram[int64])
	require.True(t, ok)
	assert.Equal(t, []float64{1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864}, data.DataPoints[0].Bounds)
}
