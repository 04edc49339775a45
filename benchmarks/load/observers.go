package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"github.com/seed67206a74/parley/benchmarks/internal/markdown"
	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/chat/chatotel"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"
)

// rounds is how often each contender is measured.
const rounds = 3

// A contender is a set of observers to measure.
type contender struct {
	name      string
	observers func() ([]any, error)
}

var contenders = []contender{
	{"none", func() ([]any, error) { return nil, nil }},
	{"all methods", func() ([]any, error) { return []any{new(counting)}, nil }},
	{"OpenTelemetry metrics", func() ([]any, error) {
		return otel(chatotel.Config{
			MeterProvider:  sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader())),
			TracerProvider: tracenoop.NewTracerProvider(),
		})
	}},
	{"OpenTelemetry metrics and spans", func() ([]any, error) {
		return otel(chatotel.Config{
			MeterProvider:  sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader())),
			TracerProvider: sdktrace.NewTracerProvider(),
		})
	}},
	{"OpenTelemetry without an SDK", func() ([]any, error) {
		return otel(chatotel.Config{MeterProvider: metricnoop.NewMeterProvider(), TracerProvider: tracenoop.NewTracerProvider()})
	}},
}

func otel(cfg chatotel.Config) ([]any, error) {
	observer, err := chatotel.New(cfg)
	return []any{observer}, err
}

// compareObservers measures the contenders with n connections.
func compareObservers(n int, pace time.Duration, tokens int) (string, error) {
	results := make([][]result, len(contenders))
	for round := range rounds {
		for i, c := range contenders {
			observers, err := c.observers()
			if err != nil {
				return "", err
			}
			r, err := measure(n, pace, tokens, observers)
			if err != nil {
				return "", fmt.Errorf("%s: %w", c.name, err)
			}
			results[i] = append(results[i], r)
			fmt.Fprintf(os.Stderr, "load: round %d: %s measured\n", round+1, c.name)
		}
	}
	table := markdown.NewTable("observer", "CPU per token", "ratio", "heap each, idle", "heap each, streaming", "ratio", "tokens lost")
	cpu := func(r result) float64 { return float64(r.cpu) }
	heap := func(r result) float64 { return r.streaming }
	for i, c := range contenders {
		table.Row(c.name,
			round(time.Duration(median(results[i], cpu))), ratio(results, i, cpu),
			kib(median(results[i], func(r result) float64 { return r.idle })),
			kib(median(results[i], heap)), ratio(results, i, heap),
			fmt.Sprint(median(results[i], func(r result) float64 { return float64(r.lost) })))
	}
	return table.String(), nil
}

func ratio(results [][]result, i int, figure func(result) float64) string {
	return fmt.Sprintf("%.2f", median(results[i], figure)/median(results[0], figure))
}

func median(results []result, figure func(result) float64) float64 {
	figures := make([]float64, len(results))
	for i, r := range results {
		figures[i] = figure(r)
	}
	slices.Sort(figures)
	return figures[len(figures)/2]
}

// counting is an observer with all methods. It counts the calls.
type counting struct{ calls atomic.Uint64 }

func (c *counting) count() { c.calls.Add(1) }

func (c *counting) OnNew(*chat.Client)                                                   { c.count() }
func (c *counting) OnClose(*chat.Client)                                                 { c.count() }
func (c *counting) OnState(*conn.Conn, conn.State)                                       { c.count() }
func (c *counting) OnSessionBegin(*conn.Conn, *conn.Session)                             { c.count() }
func (c *counting) OnSessionEnd(*conn.Conn, *conn.Session, error)                        { c.count() }
func (c *counting) OnFrameRead(*conn.Conn, int)                                          { c.count() }
func (c *counting) OnFrameWritten(*conn.Conn, int)                                       { c.count() }
func (c *counting) OnSlow(*conn.Conn, bus.SlowEvent)                                     { c.count() }
func (c *counting) OnAnswerEnd(context.Context, *chat.Client, chat.AnswerEnd)            { c.count() }
func (c *counting) OnDeliveryEnd(context.Context, *chat.Client, chat.DeliveryEnd)        { c.count() }
func (c *counting) OnToken(context.Context, *chat.Client, events.AIToken, time.Duration) { c.count() }

func (c *counting) OnAsk(ctx context.Context, _ *chat.Client, _ *chat.Question) context.Context {
	c.count()
	return ctx
}

func (c *counting) OnFirstToken(context.Context, *chat.Client, chat.Question, time.Duration) {
	c.count()
}

func (c *counting) OnDeliveryAttempt(context.Context, *chat.Client, chat.DeliveryAttempt) {
	c.count()
}

func (c *counting) OnToolStart(ctx context.Context, _ *chat.Client, _ events.AIToolCall) context.Context {
	c.count()
	return ctx
}

func (c *counting) OnToolEnd(context.Context, *chat.Client, events.AIToolCall, any, error) {
	c.count()
}
