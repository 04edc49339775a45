package main

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
)

// A collector is an observer of one client. It reports to Prometheus the
// events that it observes, and at each scrape the statistics of the client.
type collector struct {
	client *chat.Client

	changes, slow, usage                       *prometheus.CounterVec
	answer, firstToken, chunk, tools, delivery *prometheus.HistogramVec
}

func newCollector() *collector {
	counter := func(name, help, label string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "parley_" + name, Help: help}, []string{label})
	}
	seconds := func(name, help string, labels ...string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "parley_" + name, Help: help, Buckets: prometheus.ExponentialBuckets(0.01, 2, 14),
		}, labels)
	}
	return &collector{
		changes:    counter("state_changes_total", "Changes of the connection's state, by new phase.", "phase"),
		slow:       counter("slow_subscriptions_total", "Subscriptions that became slow, by topic.", "topic"),
		usage:      counter("usage_tokens_total", "Tokens of the model that answers used, by type.", "type"),
		answer:     seconds("answer_duration_seconds", "From the question to the end of its answer.", "outcome"),
		firstToken: seconds("first_token_seconds", "From the question to the first token."),
		chunk:      seconds("token_interval_seconds", "Between two tokens of an answer."),
		tools:      seconds("tool_duration_seconds", "Duration of tool calls.", "tool", "outcome"),
		delivery:   seconds("delivery_duration_seconds", "Duration of deliveries, with their waits.", "outcome"),
	}
}

// outcome is the label of a result.
func outcome(err error) string {
	if err != nil {
		return "error"
	}
	return "ok"
}

func (c *collector) OnNew(client *chat.Client) { c.client = client }

func (c *collector) OnState(_ *conn.Conn, s conn.State) {
	c.changes.WithLabelValues(s.Phase.String()).Inc()
}

func (c *collector) OnSlow(_ *conn.Conn, e bus.SlowEvent) {
	if !e.CaughtUp {
		c.slow.WithLabelValues(e.Topic).Inc()
	}
}

func (c *collector) OnFirstToken(_ context.Context, _ *chat.Client, _ chat.Question, wait time.Duration) {
	c.firstToken.WithLabelValues().Observe(wait.Seconds())
}

func (c *collector) OnToken(_ context.Context, _ *chat.Client, t events.AIToken, wait time.Duration) {
	if t.Index > 0 {
		c.chunk.WithLabelValues().Observe(wait.Seconds())
	}
}

func (c *collector) OnAnswerEnd(_ context.Context, _ *chat.Client, end chat.AnswerEnd) {
	c.answer.WithLabelValues(outcome(end.Err)).Observe(end.Duration.Seconds())
	if u := end.Message.Usage; u != nil {
		c.usage.WithLabelValues("input").Add(float64(u.PromptTokens))
		c.usage.WithLabelValues("output").Add(float64(u.CompletionTokens))
	}
}

type startKey struct{}

func (c *collector) OnToolStart(ctx context.Context, _ *chat.Client, _ events.AIToolCall) context.Context {
	return context.WithValue(ctx, startKey{}, time.Now())
}

func (c *collector) OnToolEnd(ctx context.Context, _ *chat.Client, call events.AIToolCall, _ any, err error) {
	start, _ := ctx.Value(startKey{}).(time.Time)
	c.tools.WithLabelValues(call.ToolName, outcome(err)).Observe(time.Since(start).Seconds())
}

func (c *collector) OnDeliveryEnd(_ context.Context, _ *chat.Client, end chat.DeliveryEnd) {
	c.delivery.WithLabelValues(outcome(end.Err)).Observe(end.Duration.Seconds())
}

// Describe sends the descriptions of the metrics.
func (c *collector) Describe(descriptions chan<- *prometheus.Desc) {
	prometheus.DescribeByCollect(c, descriptions)
}

// Collect sends the current metrics.
func (c *collector) Collect(metrics chan<- prometheus.Metric) {
	send := func(kind prometheus.ValueType, name, help string, value float64, labels ...string) {
		var names []string
		if len(labels) > 0 {
			names = []string{"topic"}
		}
		metrics <- prometheus.MustNewConstMetric(prometheus.NewDesc("parley_"+name, help, names, nil), kind, value, labels...)
	}
	const counter, gauge = prometheus.CounterValue, prometheus.GaugeValue
	ready := 1.0
	if c.client.Health() != nil {
		ready = 0
	}
	send(gauge, "ready", "1 while the client is connected and has joined its room, else 0.", ready)

	stats := c.client.Stats()
	send(counter, "answers_total", "Complete answers.", float64(stats.Answered))
	send(counter, "failed_answers_total", "Failed answers and questions.", float64(stats.Failed))
	send(gauge, "open_answers", "Answers in progress.", float64(stats.Open))
	send(gauge, "deliveries", "Messages that wait to be delivered.", float64(stats.Delivering))
	send(gauge, "tool_calls", "Tool calls that run or wait.", float64(stats.Tools))

	s := stats.Conn
	send(counter, "attempts_total", "Attempts to open a session.", float64(s.Attempts))
	send(counter, "sessions_total", "Sessions that the server accepted.", float64(s.Sessions))
	send(counter, "recovered_sessions_total", "Sessions that the server resumed.", float64(s.Recovered))
	send(counter, "received_packets_total", "Events and acknowledgements received.", float64(s.Received))
	send(counter, "received_bytes_total", "Bytes of received payloads.", float64(s.ReceivedBytes))
	send(counter, "decode_errors_total", "Events whose payload did not fit a listener's type.", float64(s.DecodeErrors))
	send(counter, "sent_packets_total", "Events and acknowledgements sent.", float64(s.Sent))
	send(counter, "sent_bytes_total", "Bytes of sent packets.", float64(s.SentBytes))
	send(counter, "dropped_events_total", "Volatile events that were dropped.", float64(s.Dropped))
	send(gauge, "queued_packets", "Packets that wait to be written.", float64(s.Queued))
	send(gauge, "queued_bytes", "Bytes of queued packets.", float64(s.QueuedBytes))
	send(gauge, "waiting_calls", "Calls waiting for an acknowledgement.", float64(s.Waiting))

	// These are gauges: they count open subscriptions only, so they can
	// decrease.
	for topic, s := range stats.Topics {
		send(gauge, "subscriptions", "Open subscriptions.", float64(s.Subscriptions), topic)
		send(gauge, "slow_subscriptions", "Subscriptions that have fallen behind.", float64(s.Slow), topic)
		send(gauge, "pending_events", "Events that wait for a reader.", float64(s.Total.Pending), topic)
		send(gauge, "dropped_by_open_subscriptions", "Events dropped by open subscriptions.", float64(s.Total.Dropped), topic)
	}
	for _, observed := range []prometheus.Collector{c.changes, c.slow, c.usage, c.answer, c.firstToken, c.chunk, c.tools, c.delivery} {
		observed.Collect(metrics)
	}
}
