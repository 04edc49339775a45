package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/examples/internal/exampletest"
	"github.com/seed67206a74/parley/reconnect"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) { exampletest.Main(m, main) }

func TestMetrics_reportsMissingServer(t *testing.T) {
	exampletest.ReportsMissingServer(t, "connection refused", 0, "-url", exampletest.NoServer, "-addr", "127.0.0.1:0")
}

func TestMetrics_servesClientMetrics(t *testing.T) {
	answered := make(chan struct{}, 1)
	backend := chattest.NewServer(chattest.Config{
		Answer: func(ctx context.Context, q events.UserMessage, emit func(events.Event)) {
			chattest.Echo(0)(ctx, q, emit)
			answered <- struct{}{}
		},
	})
	defer backend.Close()
	ctx, cancel := context.WithCancel(t.Context())
	out, in := io.Pipe()
	ended := make(chan error, 1)
	// Ends with cancel.
	go func() { ended <- run(ctx, in, "127.0.0.1:0", backend.URL, "room-1", time.Hour) }()
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	url, ok := strings.CutPrefix(strings.TrimSpace(line), "metrics: ")
	require.True(t, ok, line)

	<-answered // the join and the question were sent, and are counted soon after
	var scraped map[string]*dto.MetricFamily
	require.Eventually(t, func() bool {
		scraped = scrape(t, url)
		return value(scraped, "parley_sent_packets_total", "") == 2
	}, time.Minute, time.Millisecond)
	assert.Equal(t, 1.0, value(scraped, "parley_ready", ""))
	assert.Equal(t, 1.0, value(scraped, "parley_sessions_total", ""))
	assert.Positive(t, value(scraped, "parley_sent_bytes_total", ""))
	assert.Equal(t, 0.0, value(scraped, "parley_subscriptions", "Tokens"))

	cancel()
	assert.NoError(t, <-ended)
	http.DefaultClient.CloseIdleConnections()
}

func TestMetrics_reportsLostConnectionAndSlowReader(t *testing.T) {
	backend := chattest.NewServer(chattest.Config{})
	defer backend.Close()
	c := newCollector()
	client, err := chat.New(backend.URL, chat.Config{
		ChatID: events.StringID("room-1"), Observers: []any{c},
		Conn: conn.Config{Reconnect: reconnect.Policy{InitialInterval: time.Hour, MaxInterval: time.Hour}},
	})
	require.NoError(t, err)
	defer client.Close()
	// Not read.
	slow := client.Tokens.Subscribe(t.Context(), bus.Limit(1), bus.OnOverflow(bus.DropNewest))
	defer slow.Close()
	states := client.States.Chan(t.Context())
	go client.Run(t.Context()) // ends with client.Close
	_, err = client.Answer(t.Context(), chat.Question{UserID: events.StringID("u1"), Text: "Hello"})
	require.NoError(t, err)
	backend.CloseClientConnections()
	for state := range states {
		if state.Phase == conn.Waiting {
			break
		}
	}
	// The observer is called after the state is published.
	waiting := c.changes.WithLabelValues(conn.Waiting.String())
	require.Eventually(t, func() bool { return client.Health() != nil && testutil.ToFloat64(waiting) == 1 }, time.Minute, time.Millisecond)

	registry := prometheus.NewRegistry()
	require.NoError(t, registry.Register(c))
	families, err := registry.Gather()
	require.NoError(t, err)
	gathered := map[string]*dto.MetricFamily{}
	for _, family := range families {
		gathered[family.GetName()] = family
	}
	assert.Equal(t, 0.0, value(gathered, "parley_ready", ""))
	assert.Equal(t, 1.0, value(gathered, "parley_state_changes_total", "ready"))
	assert.Equal(t, 1.0, value(gathered, "parley_state_changes_total", "waiting"))
	assert.Equal(t, 1.0, value(gathered, "parley_subscriptions", "Tokens"))
	assert.Equal(t, 1.0, value(gathered, "parley_slow_subscriptions", "Tokens"))
	assert.Equal(t, 2.0, value(gathered, "parley_dropped_by_open_subscriptions", "Tokens"))
	assert.Equal(t, 1.0, value(gathered, "parley_slow_subscriptions_total", "AI_TOKEN"))
	assert.Equal(t, 1.0, value(gathered, "parley_answers_total", ""))
	answers := gathered["parley_answer_duration_seconds"].GetMetric()[0]
	assert.Equal(t, "ok", answers.GetLabel()[0].GetValue())
	assert.Equal(t, uint64(1), answers.GetHistogram().GetSampleCount())
	assert.Equal(t, uint64(1), gathered["parley_first_token_seconds"].GetMetric()[0].GetHistogram().GetSampleCount())
	assert.Positive(t, gathered["parley_token_interval_seconds"].GetMetric()[0].GetHistogram().GetSampleCount())
}

func TestMetrics_passesPrometheusLint(t *testing.T) {
	c := newCollector()
	client, err := chat.New("http://localhost", chat.Config{ChatID: events.StringID("room-1"), Observers: []any{c}})
	require.NoError(t, err)
	defer client.Close()
	problems, err := testutil.CollectAndLint(c)
	require.NoError(t, err)
	assert.Empty(t, problems)
}

// scrape fetches and reads the metrics, as Prometheus does.
func scrape(t *testing.T, url string) map[string]*dto.MetricFamily {
	t.Helper()
	response, err := http.Get(url)
	require.NoError(t, err)
	defer response.Body.Close()
	require.Equal(t, http.StatusOK, response.StatusCode)
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(response.Body)
	require.NoError(t, err)
	return families
}

// value returns the metric with that label, or the first one if label is empty.
// It returns -1 if there is none.
func value(families map[string]*dto.MetricFamily, name, label string) float64 {
	for _, metric := range families[name].GetMetric() {
		if label == "" || metric.GetLabel()[0].GetValue() == label {
			return metric.GetCounter().GetValue() + metric.GetGauge().GetValue() // one of them is 0
		}
	}
	return -1
}
