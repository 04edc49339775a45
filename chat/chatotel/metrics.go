package chatotel

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// metrics are the instruments of an observer. Events are counted as they
// happen. The figures of connections and subscriptions are read from the Stats
// of the clients when the metrics are collected, so they cost nothing before.
type metrics struct {
	common metric.MeasurementOption

	duration, firstChunk, chunk, sessionDuration, deliveryDuration metric.Float64Histogram
	usage                                                          metric.Int64Histogram
	stateChanges, slow, deliveryAttempts                           metric.Int64Counter

	clients, ready, open, queued, subscriptions, pending metric.Int64ObservableUpDownCounter
	attempts, sessions, packets, bytes, decodeErrors     metric.Int64ObservableCounter

	ended totals // of closed clients; guarded by Observer.mu
}

// totals sums up the counters of connections.
type totals conn.Stats

func (t *totals) add(s conn.Stats) {
	t.Attempts += s.Attempts
	t.Sessions += s.Sessions
	t.Recovered += s.Recovered
	t.Received += s.Received
	t.ReceivedBytes += s.ReceivedBytes
	t.DecodeErrors += s.DecodeErrors
	t.Sent += s.Sent
	t.SentBytes += s.SentBytes
}

func newMetrics(meter metric.Meter, o *Observer) (*metrics, error) {
	m := &metrics{common: metric.WithAttributeSet(attribute.NewSet(o.common...))}
	var failed []error
	seconds := func(name, description string) metric.Float64Histogram {
		h, err := meter.Float64Histogram(name, metric.WithUnit("s"), metric.WithDescription(description),
			metric.WithExplicitBucketBoundaries(secondsBuckets...))
		failed = append(failed, err)
		return h
	}
	counter := func(name, unit, description string) metric.Int64Counter {
		c, err := meter.Int64Counter(name, metric.WithUnit(unit), metric.WithDescription(description))
		failed = append(failed, err)
		return c
	}
	var observed []metric.Observable
	gauge := func(name, unit, description string) metric.Int64ObservableUpDownCounter {
		c, err := meter.Int64ObservableUpDownCounter(name, metric.WithUnit(unit), metric.WithDescription(description))
		failed, observed = append(failed, err), append(observed, c)
		return c
	}
	total := func(name, unit, description string) metric.Int64ObservableCounter {
		c, err := meter.Int64ObservableCounter(name, metric.WithUnit(unit), metric.WithDescription(description))
		failed, observed = append(failed, err), append(observed, c)
		return c
	}
	m.duration = seconds(metricDuration, "GenAI operation duration.")
	m.firstChunk = seconds(metricFirstChunk, "Time to receive the first chunk.")
	m.chunk = seconds(metricChunk, "Time per output chunk, for each chunk after the first one.")
	m.sessionDuration = seconds(metricSessionDuration, "Duration of ended sessions.")
	m.deliveryDuration = seconds(metricDeliveryDuration, "Duration of deliveries, with their waits.")
	usage, err := meter.Int64Histogram(metricUsage, metric.WithUnit("{token}"),
		metric.WithDescription("Number of input and output tokens used."),
		metric.WithExplicitBucketBoundaries(tokenBuckets...))
	m.usage, failed = usage, append(failed, err)
	m.stateChanges = counter(metricStates, "{change}", "Changes of the connection's state, by new phase.")
	m.slow = counter(metricSlow, "{subscription}", "Subscriptions that became slow.")
	m.deliveryAttempts = counter(metricDeliveryAttempts, "{attempt}", "Attempts to deliver a message or event.")
	m.clients = gauge(metricClients, "{client}", "Clients that are not closed.")
	m.ready = gauge(metricReady, "{client}", "Clients that are connected and have joined their rooms.")
	m.open = gauge(metricOpen, "{answer}", "Answers in progress.")
	m.queued = gauge(metricQueued, "{packet}", "Packets that wait to be written.")
	m.subscriptions = gauge(metricSubscriptions, "{subscription}", "Open subscriptions.")
	m.pending = gauge(metricPending, "{event}", "Events that wait for a reader.")
	m.attempts = total(metricAttempts, "{attempt}", "Attempts to open a session.")
	m.sessions = total(metricSessions, "{session}", "Sessions that the server accepted.")
	m.packets = total(metricPackets, "{packet}", "Events and acknowledgements.")
	m.bytes = total(metricBytes, "By", "Bytes of packets.")
	m.decodeErrors = total(metricDecodeErrors, "{event}", "Events whose payload did not fit.")
	_, err = meter.RegisterCallback(func(_ context.Context, to metric.Observer) error {
		m.collect(o, to)
		return nil
	}, observed...)
	return m, errors.Join(append(failed, err)...)
}

// options returns the common attributes and others.
func (o *Observer) options(first attribute.KeyValue, others ...attribute.KeyValue) metric.MeasurementOption {
	return metric.WithAttributeSet(attribute.NewSet(slices.Concat(o.common, []attribute.KeyValue{first}, others)...))
}

// collect reads the statistics of all clients.
func (m *metrics) collect(o *Observer, to metric.Observer) {
	o.mu.Lock()
	sum := m.ended
	clients := slices.Collect(maps.Keys(o.clients))
	o.mu.Unlock()

	var ready, open, queued int64
	topics := map[string]bus.TopicStats{}
	for _, c := range clients {
		s := c.Stats()
		sum.add(s.Conn)
		open += int64(s.Open)
		queued += int64(s.Conn.Queued)
		if c.Health() == nil {
			ready++
		}
		for name, t := range s.Topics {
			if t.Subscriptions > 0 {
				total := topics[name]
				total.Subscriptions += t.Subscriptions
				total.Total.Pending += t.Total.Pending
				topics[name] = total
			}
		}
	}
	to.ObserveInt64(m.clients, int64(len(clients)), m.common)
	to.ObserveInt64(m.ready, ready, m.common)
	to.ObserveInt64(m.open, open, m.common)
	to.ObserveInt64(m.queued, queued, m.common)
	for name, t := range topics {
		topic := o.options(attribute.String(attrTopic, name))
		to.ObserveInt64(m.subscriptions, int64(t.Subscriptions), topic)
		to.ObserveInt64(m.pending, int64(t.Total.Pending), topic)
	}
	received, sent := o.options(attribute.String(attrDirection, "receive")), o.options(attribute.String(attrDirection, "transmit"))
	to.ObserveInt64(m.attempts, int64(sum.Attempts), m.common)
	to.ObserveInt64(m.sessions, int64(sum.Sessions-sum.Recovered), o.options(attribute.Bool(attrRecovered, false)))
	to.ObserveInt64(m.sessions, int64(sum.Recovered), o.options(attribute.Bool(attrRecovered, true)))
	to.ObserveInt64(m.packets, int64(sum.Received), received)
	to.ObserveInt64(m.packets, int64(sum.Sent), sent)
	to.ObserveInt64(m.bytes, int64(sum.ReceivedBytes), received)
	to.ObserveInt64(m.bytes, int64(sum.SentBytes), sent)
	to.ObserveInt64(m.decodeErrors, int64(sum.DecodeErrors), m.common)
}

// token records a token. wait is the time since the previous one, or since the
// question was written.
func (m *metrics) token(ctx context.Context, c *client, first bool, wait time.Duration) {
	h := m.chunk
	if first {
		h = m.firstChunk
	}
	h.Record(ctx, wait.Seconds(), c.chat)
}

// answer records the end of an answer.
func (m *metrics) answer(ctx context.Context, o *Observer, c *client, end chat.AnswerEnd) {
	outcome := c.chat
	if end.Err != nil {
		outcome = o.options(attribute.String(attrOperation, operationChat), append(failure(end.Err), c.server...)...)
	}
	m.duration.Record(ctx, end.Duration.Seconds(), outcome)
	if u := end.Message.Usage; u != nil {
		of := func(kind string) metric.MeasurementOption {
			return o.options(attribute.String(attrOperation, operationChat), append([]attribute.KeyValue{attribute.String(attrTokenType, kind)}, c.server...)...)
		}
		m.usage.Record(ctx, u.PromptTokens, of(tokensInput))
		m.usage.Record(ctx, u.CompletionTokens, of(tokensOutput))
	}
}

func (m *metrics) tool(ctx context.Context, o *Observer, call events.AIToolCall, took time.Duration, err error) {
	m.duration.Record(ctx, took.Seconds(), o.options(attribute.String(attrOperation, operationTool),
		append(failure(err), attribute.String(attrTool, call.ToolName))...))
}

func (m *metrics) delivery(ctx context.Context, o *Observer, end chat.DeliveryEnd) {
	option := m.common
	if end.Err != nil {
		option = o.options(failure(end.Err)[0])
	}
	m.deliveryDuration.Record(ctx, end.Duration.Seconds(), option)
}
