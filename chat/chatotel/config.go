package chatotel

import (
	"maps"
	"slices"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// DefaultProvider is the default of Config.Provider.
const DefaultProvider = "parley"

// A Config configures an Observer. The zero value has a default for each field.
type Config struct {
	// TracerProvider creates the spans. Default: otel.GetTracerProvider.
	TracerProvider trace.TracerProvider

	// MeterProvider creates the metrics. Default: otel.GetMeterProvider.
	MeterProvider metric.MeterProvider

	// Propagation is how the trace context goes to the backend. Default:
	// InTraceID.
	Propagation Propagation

	// Propagator writes the fields of InMeta. Default: the headers of W3C Trace
	// Context, traceparent and tracestate.
	Propagator propagation.TextMapPropagator

	// Provider is the gen_ai.provider.name of spans and metrics, for example
	// "openai". Default: DefaultProvider.
	Provider string

	// Model is the gen_ai.request.model, if the backend always uses the same
	// one. Default: none.
	Model string

	// Attributes are added to each span and metric. Default: none.
	Attributes []attribute.KeyValue

	// Content also records questions, answers, tool arguments and results in
	// the spans. Default: false.
	Content bool
}

// A Propagation is how the trace context goes to the backend with a question.
type Propagation int

const (
	// InTraceID sends the trace's id, 32 hexadecimal digits, in the traceId of
	// a question that has none. The backend sends it back in the events of the
	// answer.
	InTraceID Propagation = iota

	// InMeta sends the fields of Config.Propagator as fields of the payload, so
	// that the backend's spans can be children of the question's span.
	InMeta

	// NoPropagation sends nothing.
	NoPropagation
)

func (c Config) withDefaults() Config {
	if c.TracerProvider == nil {
		c.TracerProvider = otel.GetTracerProvider()
	}
	if c.MeterProvider == nil {
		c.MeterProvider = otel.GetMeterProvider()
	}
	if c.Propagator == nil {
		c.Propagator = propagation.TraceContext{}
	}
	if c.Provider == "" {
		c.Provider = DefaultProvider
	}
	return c
}

// meta are the fields of a question, as the carrier of a propagator.
type meta map[string]any

func (m meta) Get(key string) string {
	text, _ := m[key].(string)
	return text
}

func (m meta) Set(key, value string) { m[key] = value }

func (m meta) Keys() []string { return slices.Collect(maps.Keys(m)) }
