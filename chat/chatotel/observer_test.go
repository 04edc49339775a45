package chatotel_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/chat/chatotel"
	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/events"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var user = events.StringID("u1")

// telemetry has the exporters of a test, and a client that is observed.
type telemetry struct {
	spans   *tracetest.InMemoryExporter
	tracer  trace.Tracer
	reader  *sdkmetric.ManualReader
	client  *chat.Client
	backend *chattest.Server
}

// observed returns a client with an observer, connected to a backend.
func observed(t *testing.T, cfg chatotel.Config, backend chattest.Config) *telemetry {
	t.Helper()
	o := &telemetry{spans: tracetest.NewInMemoryExporter(), reader: sdkmetric.NewManualReader()}
	traces := sdktrace.NewTracerProvider(sdktrace.WithSyncer(o.spans))
	o.tracer = traces.Tracer("test")
	cfg.TracerProvider = traces
	cfg.MeterProvider = sdkmetric.NewMeterProvider(sdkmetric.WithReader(o.reader))
	observer, err := chatotel.New(cfg)
	require.NoError(t, err)
	o.backend = chattest.NewServer(backend)
	t.Cleanup(o.backend.Close)
	o.client, err = chat.New(o.backend.URL, chat.Config{ChatID: events.StringID("room-1"), Observers: []any{observer}})
	require.NoError(t, err)
	t.Cleanup(func() { _ = o.client.Close() })
	go o.client.Run(t.Context()) // ends with client.Close
	require.NoError(t, o.client.Ready(t.Context()))
	return o
}

// span returns the ended span of that name, with its attributes.
func (o *telemetry) span(t *testing.T, name string) (tracetest.SpanStub, map[attribute.Key]attribute.Value) {
	t.Helper()
	for _, span := range o.spans.GetSpans() {
		if span.Name == name {
			attributes := map[attribute.Key]attribute.Value{}
			for _, a := range span.Attributes {
				attributes[a.Key] = a.Value
			}
			return span, attributes
		}
	}
	require.Failf(t, "no span", "%s of %v", name, o.spans.GetSpans())
	return tracetest.SpanStub{}, nil
}

// metrics collects all metrics, by their names.
func (o *telemetry) metrics(t *testing.T) map[string]metricdata.Metrics {
	t.Helper()
	var collected metricdata.ResourceMetrics
	require.NoError(t, o.reader.Collect(t.Context(), &collected))
	all := map[string]metricdata.Metrics{}
	for _, scope := range collected.ScopeMetrics {
		for _, m := range scope.Metrics {
			all[m.Name] = m
		}
	}
	return all
}

// answer answers with two tokens, a usage and fields of its own.
func answer(_ context.Context, q events.UserMessage, emit func(events.Event)) {
	emit(events.AIToken{Token: "Hello "})
	emit(events.AIToken{Token: "you", Index: 1})
	emit(events.AIMessage{
		MessageID: "a1", Role: "assistant", Text: "Hello you", CreatedAt: time.Now(),
		Usage: &events.Usage{PromptTokens: 10, CompletionTokens: 20},
		Extra: map[string]json.RawMessage{"finishReason": []byte(`"length"`), "model": []byte(`"big-1"`)},
	})
}

func TestObserver_recordsSpanOfQuestion(t *testing.T) {
	asked := make(chan events.UserMessage, 1)
	o := observed(t, chatotel.Config{Provider: "acme", Model: "big", Attributes: []attribute.KeyValue{attribute.String("team", "a")}},
		chattest.Config{Answer: func(ctx context.Context, q events.UserMessage, emit func(events.Event)) {
			asked <- q
			answer(ctx, q, emit)
		}})
	ctx, parent := o.tracer.Start(t.Context(), "request")
	_, err := o.client.Answer(ctx, chat.Question{UserID: user, Text: "a secret", RequestID: "r1", MessageID: "m1"})
	require.NoError(t, err)
	parent.End()

	span, attributes := o.span(t, "chat big")
	assert.Equal(t, trace.SpanKindClient, span.SpanKind)
	assert.Equal(t, parent.SpanContext().SpanID(), span.Parent.SpanID())
	assert.Equal(t, codes.Unset, span.Status.Code)
	want := map[attribute.Key]any{
		"gen_ai.operation.name": "chat", "gen_ai.provider.name": "acme", "gen_ai.request.model": "big",
		"gen_ai.conversation.id": "room-1", "gen_ai.request.stream": true, "gen_ai.response.id": "a1",
		"gen_ai.response.model": "big-1", "gen_ai.response.finish_reasons": []string{"length"},
		"gen_ai.usage.input_tokens": int64(10), "gen_ai.usage.output_tokens": int64(20),
		"server.address": "127.0.0.1", "parley.request.id": "r1", "parley.message.id": "m1", "parley.tokens": int64(2), "team": "a",
	}
	for key, value := range want {
		assert.Equal(t, value, attributes[key].AsInterface(), key)
	}
	assert.Positive(t, attributes["server.port"].AsInt64())
	assert.Positive(t, attributes["gen_ai.response.time_to_first_chunk"].AsFloat64())
	assert.Len(t, attributes, len(want)+2, "nothing else")
	assert.Equal(t, span.SpanContext.TraceID().String(), (<-asked).TraceID)
}

func TestObserver_recordsContentIfAsked(t *testing.T) {
	o := observed(t, chatotel.Config{Content: true}, chattest.Config{Answer: answer})
	_, err := o.client.Answer(t.Context(), chat.Question{UserID: user, Text: "Who is it?"})
	require.NoError(t, err)
	_, attributes := o.span(t, "chat")
	assert.Equal(t, `[{"role":"user","parts":[{"type":"text","content":"Who is it?"}]}]`, attributes["gen_ai.input.messages"].AsString())
	assert.Equal(t, `[{"role":"assistant","parts":[{"type":"text","content":"Hello you"}],"finish_reason":"length"}]`, attributes["gen_ai.output.messages"].AsString())
}

func TestObserver_recordsFailure(t *testing.T) {
	o := observed(t, chatotel.Config{}, chattest.Config{Answer: func(_ context.Context, _ events.UserMessage, emit func(events.Event)) {
		emit(events.AIError{Message: "a secret of the backend"})
	}})
	_, err := o.client.Answer(t.Context(), chat.Question{UserID: user, Text: "Hi"})
	require.Error(t, err)
	span, attributes := o.span(t, "chat")
	assert.Equal(t, codes.Error, span.Status.Code)
	assert.Equal(t, "backend", span.Status.Description)
	assert.Equal(t, "backend", attributes["error.type"].AsString())
	assert.Equal(t, []string{"error"}, attributes["gen_ai.response.finish_reasons"].AsStringSlice())
	assert.Equal(t, map[string]uint64{"chat/backend": 1}, counts(t, o, "gen_ai.client.operation.duration"))
}

func TestObserver_propagatesInMeta(t *testing.T) {
	o := observed(t, chatotel.Config{Propagation: chatotel.InMeta}, chattest.Config{})
	_, err := o.client.Answer(t.Context(), chat.Question{UserID: user, Text: "Hi", Meta: map[string]any{"tenant": "acme"}})
	require.NoError(t, err)
	span, _ := o.span(t, "chat")
	want := "00-" + span.SpanContext.TraceID().String() + "-" + span.SpanContext.SpanID().String() + "-01"
	var payload map[string]any
	require.NoError(t, o.backend.Expect(t, "user:message", nil).Decode(&payload))
	assert.Equal(t, want, payload["traceparent"])
	assert.Equal(t, "acme", payload["tenant"])
}

func TestObserver_recordsSpanOfTool(t *testing.T) {
	o := observed(t, chatotel.Config{}, chattest.Config{Answer: func(ctx context.Context, q events.UserMessage, emit func(events.Event)) {
		emit(events.AIToolCall{CallID: "c1", ToolName: "weather", Args: []byte(`{"city":"a secret"}`)})
		emit(events.AIToolCall{CallID: "c2", ToolName: "broken", Args: []byte(`{}`)})
		<-ctx.Done()
	}})
	inside := make(chan trace.SpanContext, 1)
	chat.HandleTool(o.client, "weather", func(ctx context.Context, _ map[string]string) (string, error) {
		inside <- trace.SpanContextFromContext(ctx)
		return "a secret", nil
	})
	failed := make(chan struct{})
	chat.HandleTool(o.client, "broken", func(context.Context, any) (string, error) {
		defer close(failed)
		return "", errors.New("a secret")
	})
	stream, err := o.client.Ask(t.Context(), chat.Question{UserID: user, Text: "Hi"})
	require.NoError(t, err)
	ranIn := <-inside
	<-failed
	require.Eventually(t, func() bool { return len(o.spans.GetSpans()) == 2 }, time.Minute, time.Millisecond)
	stream.Abort("")
	question, ended := o.span(t, "chat")
	assert.Equal(t, "aborted", ended["error.type"].AsString())

	span, attributes := o.span(t, "execute_tool weather")
	assert.Equal(t, question.SpanContext.SpanID(), span.Parent.SpanID())
	assert.Equal(t, ranIn.SpanID(), span.SpanContext.SpanID())
	assert.Equal(t, trace.SpanKindInternal, span.SpanKind)
	for key, value := range map[attribute.Key]string{
		"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "weather", "gen_ai.tool.type": "function", "gen_ai.tool.call.id": "c1",
	} {
		assert.Equal(t, value, attributes[key].AsString(), key)
	}
	assert.Len(t, attributes, 4, "no content")
	span, attributes = o.span(t, "execute_tool broken")
	assert.Equal(t, "_OTHER", attributes["error.type"].AsString())
	assert.Equal(t, "_OTHER", span.Status.Description)
	assert.Equal(t, map[string]uint64{"execute_tool/": 1, "execute_tool/_OTHER": 1, "chat/aborted": 1}, counts(t, o, "gen_ai.client.operation.duration"))
}

func TestObserver_recordsMetrics(t *testing.T) {
	o := observed(t, chatotel.Config{}, chattest.Config{Answer: answer})
	slow := o.client.Tokens.Subscribe(t.Context(), bus.Limit(1), bus.OnOverflow(bus.DropNewest))
	defer slow.Close()
	_, err := o.client.Answer(t.Context(), chat.Question{UserID: user, Text: "Hi"})
	require.NoError(t, err)
	_, err = o.client.Deliver(t.Context(), events.UserMessage{MessageID: "m2", UserID: user, Text: "Hi"})
	require.NoError(t, err)

	for name, want := range map[string]map[string]uint64{
		"gen_ai.client.operation.duration":              {"chat/": 1},
		"gen_ai.client.operation.time_to_first_chunk":   {"chat/": 1},
		"gen_ai.client.operation.time_per_output_chunk": {"chat/": 1},
		"gen_ai.client.token.usage":                     {"chat/input": 1, "chat/output": 1},
		"parley.delivery.duration":                      {"/": 1},
	} {
		assert.Equal(t, want, counts(t, o, name), name)
	}
	for name, want := range map[string]int64{
		"parley.client.count": 1, "parley.client.ready": 1, "parley.client.open_answers": 0,
		"parley.connection.state_changes": 3, "parley.connection.attempts": 1, "parley.connection.sessions": 1,
		"parley.connection.decode_errors": 0, "parley.connection.queued_packets": 0,
		"parley.bus.subscriptions": 1, "parley.bus.pending": 1, "parley.bus.slow": 1, "parley.delivery.attempts": 1,
	} {
		assert.Equal(t, want, o.sum(t, name), name)
	}
	assert.Positive(t, o.sum(t, "parley.connection.packets"))
	sentBytes := o.sum(t, "parley.connection.io")
	assert.Positive(t, sentBytes)

	require.NoError(t, o.client.Close())
	assert.Equal(t, int64(0), o.sum(t, "parley.client.count"))
	assert.GreaterOrEqual(t, o.sum(t, "parley.connection.io"), sentBytes, "a counter does not decrease")
	assert.Equal(t, map[string]uint64{"/canceled": 1}, counts(t, o, "parley.connection.session.duration"))
}

// counts returns the number of values of a histogram, by operation and by type
// of the error or of the tokens.
func counts(t *testing.T, o *telemetry, name string) map[string]uint64 {
	t.Helper()
	counts := map[string]uint64{}
	add := func(set attribute.Set, count uint64) {
		operation, _ := set.Value("gen_ai.operation.name")
		kind, _ := set.Value("error.type")
		tokens, _ := set.Value("gen_ai.token.type")
		counts[operation.AsString()+"/"+kind.AsString()+tokens.AsString()] += count
	}
	switch data := o.metrics(t)[name].Data.(type) {
	case metricdata.Histogram[float64]:
		for _, p := range data.DataPoints {
			add(p.Attributes, p.Count)
		}
	case metricdata.Histogram[int64]:
		for _, p := range data.DataPoints {
			add(p.Attributes, p.Count)
		}
	}
	return counts
}

// sum returns the sum of a counter or gauge over its attributes, -1 if there is
// none.
func (o *telemetry) sum(t *testing.T, name string) int64 {
	t.Helper()
	data, ok := o.metrics(t)[name].Data.(metricdata.Sum[int64])
	if !ok {
		return -1
	}
	sum := int64(0)
	for _, p := range data.DataPoints {
		sum += p.Value
	}
	return sum
}
