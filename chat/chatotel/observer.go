package chatotel

import (
	"context"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
)

// name is the instrumentation scope of spans and metrics.
const name = "github.com/seed67206a74/parley/chat/chatotel"

// An Observer reports the clients that it is an observer of; see
// chat.Config.Observers. As an observer of a conn.Config it reports the changes
// of state and the sessions.
type Observer struct {
	cfg     Config
	tracer  trace.Tracer
	metrics *metrics
	common  []attribute.KeyValue // of all spans and metrics

	mu      sync.Mutex
	clients map[*chat.Client]*client
	began   map[*conn.Session]time.Time
}

// client has the attributes of a client, computed once.
type client struct {
	server []attribute.KeyValue     // address and port
	chat   metric.MeasurementOption // of the metrics of questions
}

// New returns an observer. It returns an error if the MeterProvider refuses a
// metric.
func New(cfg Config) (*Observer, error) {
	cfg = cfg.withDefaults()
	o := &Observer{
		cfg:     cfg,
		tracer:  cfg.TracerProvider.Tracer(name),
		common:  append(slices.Clone(cfg.Attributes), attribute.String(attrProvider, cfg.Provider)),
		clients: map[*chat.Client]*client{},
		began:   map[*conn.Session]time.Time{},
	}
	if cfg.Model != "" {
		o.common = append(o.common, attribute.String(attrModel, cfg.Model))
	}
	var err error
	o.metrics, err = newMetrics(cfg.MeterProvider.Meter(name), o)
	if err != nil {
		return nil, err
	}
	return o, nil
}

// OnNew implements [chat.NewObserver].
func (o *Observer) OnNew(c *chat.Client) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.clients[c] = o.describe(c)
}

// OnClose implements [chat.CloseObserver].
func (o *Observer) OnClose(c *chat.Client) {
	stats := c.Stats()
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.clients, c)
	o.metrics.ended.add(stats.Conn)
}

func (o *Observer) describe(c *chat.Client) *client {
	var d client
	if u, err := url.Parse(c.Conn().URL()); err == nil {
		port, err := strconv.Atoi(u.Port())
		if err != nil {
			port = map[string]int{"http": 80, "https": 443}[u.Scheme]
		}
		d.server = []attribute.KeyValue{attribute.String(attrAddress, u.Hostname()), attribute.Int(attrPort, port)}
	}
	d.chat = o.options(attribute.String(attrOperation, operationChat), d.server...)
	return &d
}

// of returns the description of a client.
func (o *Observer) of(c *chat.Client) *client {
	o.mu.Lock()
	defer o.mu.Unlock()
	if d := o.clients[c]; d != nil {
		return d
	}
	return o.describe(c) // closed
}

// question is a question in progress; its stream's ctx has it.
type question struct {
	client *client
	span   trace.Span
	token  bool // one has arrived; used by the connection's reader only
}

type questionKey struct{}

// OnAsk implements [chat.AskObserver]. It starts the span of a question.
func (o *Observer) OnAsk(ctx context.Context, c *chat.Client, q *chat.Question) context.Context {
	asked := &question{client: o.of(c)}
	spanName := operationChat
	if o.cfg.Model != "" {
		spanName += " " + o.cfg.Model
	}
	attributes := slices.Concat(o.common, asked.client.server, []attribute.KeyValue{
		attribute.String(attrOperation, operationChat),
		attribute.Bool(attrStream, true),
		attribute.String(attrRequest, q.RequestID),
		attribute.String(attrMessage, q.MessageID),
	})
	if !q.ChatID.IsZero() {
		attributes = append(attributes, attribute.String(attrConversation, q.ChatID.String()))
	}
	if o.cfg.Content {
		attributes = append(attributes, attribute.String(attrInput, messages("user", q.Text, "")))
	}
	ctx, asked.span = o.tracer.Start(ctx, spanName,
		trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(attributes...))
	o.propagate(ctx, asked.span, q)
	return context.WithValue(ctx, questionKey{}, asked)
}

// propagate writes the trace context into the question.
func (o *Observer) propagate(ctx context.Context, span trace.Span, q *chat.Question) {
	if !span.SpanContext().IsValid() {
		return
	}
	switch o.cfg.Propagation {
	case InTraceID:
		if q.TraceID == "" {
			q.TraceID = span.SpanContext().TraceID().String()
		}
	case InMeta:
		carrier := meta(maps.Clone(q.Meta))
		if carrier == nil {
			carrier = meta{}
		}
		o.cfg.Propagator.Inject(ctx, carrier)
		q.Meta = carrier
	}
}

// OnToken implements [chat.TokenObserver].
func (o *Observer) OnToken(ctx context.Context, _ *chat.Client, _ events.AIToken, wait time.Duration) {
	if q, ok := ctx.Value(questionKey{}).(*question); ok {
		o.metrics.token(ctx, q.client, !q.token, wait)
		q.token = true
	}
}

// OnFirstToken implements [chat.FirstTokenObserver].
func (o *Observer) OnFirstToken(ctx context.Context, _ *chat.Client, _ chat.Question, wait time.Duration) {
	if q, ok := ctx.Value(questionKey{}).(*question); ok {
		q.span.SetAttributes(attribute.Float64(attrFirstChunk, wait.Seconds()))
	}
}

// OnAnswerEnd implements [chat.AnswerEndObserver]. It ends the span.
func (o *Observer) OnAnswerEnd(ctx context.Context, _ *chat.Client, end chat.AnswerEnd) {
	q, ok := ctx.Value(questionKey{}).(*question)
	if !ok {
		return
	}
	o.metrics.answer(ctx, o, q.client, end)
	q.span.SetAttributes(
		attribute.Int(attrTokens, end.Tokens),
		attribute.StringSlice(attrFinish, []string{finishReason(end)}),
	)
	if u := end.Message.Usage; u != nil {
		q.span.SetAttributes(attribute.Int64(attrInputTokens, u.PromptTokens), attribute.Int64(attrOutputTokens, u.CompletionTokens))
	}
	if end.Err == nil {
		q.span.SetAttributes(attribute.String(attrResponse, end.Message.MessageID))
		if model := extra(end.Message.Extra, "model"); model != "" {
			q.span.SetAttributes(attribute.String(attrAnswerModel, model))
		}
		if o.cfg.Content {
			q.span.SetAttributes(attribute.String(attrOutput, messages("assistant", end.Message.Text, finishReason(end))))
		}
	}
	endSpan(q.span, end.Err)
}

// endSpan ends a span, with the type of the error but not its text.
func endSpan(span trace.Span, err error) {
	if err != nil {
		kind := errorType(err)
		span.SetAttributes(attribute.String(attrError, kind))
		span.SetStatus(codes.Error, kind)
	}
	span.End()
}

// tool is a tool call in progress; the ctx of its function has it.
type tool struct {
	span  trace.Span
	start time.Time
}

type toolKey struct{}

// OnToolStart implements [chat.ToolStartObserver].
func (o *Observer) OnToolStart(ctx context.Context, _ *chat.Client, call events.AIToolCall) context.Context {
	attributes := []attribute.KeyValue{
		attribute.String(attrOperation, operationTool),
		attribute.String(attrTool, call.ToolName),
		attribute.String(attrToolType, toolFunction),
		attribute.String(attrToolCall, call.CallID),
	}
	if o.cfg.Content {
		attributes = append(attributes, attribute.String(attrToolArgs, string(call.Args)))
	}
	ctx, span := o.tracer.Start(ctx, operationTool+" "+call.ToolName,
		trace.WithSpanKind(trace.SpanKindInternal), trace.WithAttributes(slices.Concat(o.cfg.Attributes, attributes)...))
	return context.WithValue(ctx, toolKey{}, tool{span, time.Now()})
}

// OnToolEnd implements [chat.ToolEndObserver].
func (o *Observer) OnToolEnd(ctx context.Context, _ *chat.Client, call events.AIToolCall, result any, err error) {
	t, ok := ctx.Value(toolKey{}).(tool)
	if !ok {
		return
	}
	if o.cfg.Content && err == nil {
		t.span.SetAttributes(attribute.String(attrToolResult, encode(result)))
	}
	o.metrics.tool(ctx, o, call, time.Since(t.start), err)
	endSpan(t.span, err)
}

// OnDeliveryAttempt implements [chat.DeliveryAttemptObserver].
func (o *Observer) OnDeliveryAttempt(ctx context.Context, _ *chat.Client, _ chat.DeliveryAttempt) {
	o.metrics.deliveryAttempts.Add(ctx, 1, o.metrics.common)
}

// OnDeliveryEnd implements [chat.DeliveryEndObserver].
func (o *Observer) OnDeliveryEnd(ctx context.Context, _ *chat.Client, end chat.DeliveryEnd) {
	o.metrics.delivery(ctx, o, end)
}

// OnState implements [conn.StateObserver].
func (o *Observer) OnState(_ *conn.Conn, s conn.State) {
	o.metrics.stateChanges.Add(context.Background(), 1, o.options(attribute.String(attrPhase, s.Phase.String())))
}

// OnSessionBegin implements [conn.SessionBeginObserver].
func (o *Observer) OnSessionBegin(_ *conn.Conn, s *conn.Session) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.began[s] = time.Now()
}

// OnSessionEnd implements [conn.SessionEndObserver].
func (o *Observer) OnSessionEnd(_ *conn.Conn, s *conn.Session, cause error) {
	o.mu.Lock()
	began := o.began[s]
	delete(o.began, s)
	o.mu.Unlock()
	o.metrics.sessionDuration.Record(context.Background(), time.Since(began).Seconds(),
		o.options(attribute.Bool(attrRecovered, s.Recovered()), failure(cause)...))
}

// OnSlow implements [conn.SlowObserver].
func (o *Observer) OnSlow(_ *conn.Conn, e bus.SlowEvent) {
	if !e.CaughtUp {
		o.metrics.slow.Add(context.Background(), 1, o.options(attribute.String(attrTopic, e.Topic)))
	}
}
