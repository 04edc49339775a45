package main

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/chat/chatotel"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"
)

// openObserved returns a function that opens a chat.Client. Its observer counts
// all events.
func openObserved() (openFunc, error) { return openChat(new(counting)), nil }

// openMetrics returns a function that opens a chat.Client with the metrics of
// OpenTelemetry. All connections have the same observer.
func openMetrics() (openFunc, error) { return openOTel(tracenoop.NewTracerProvider()) }

// openSpans does the same with metrics and spans.
func openSpans() (openFunc, error) { return openOTel(sdktrace.NewTracerProvider()) }

func openOTel(spans trace.TracerProvider) (openFunc, error) {
	observer, err := chatotel.New(chatotel.Config{
		MeterProvider:  sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader())),
		TracerProvider: spans,
	})
	return openChat(observer), err
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
