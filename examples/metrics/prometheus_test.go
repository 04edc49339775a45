package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/seed67206a74/parley/bus"
	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/internal/installed"
	"github.com/seed67206a74/parley/internal/mockserver"
	"github.com/seed67206a74/parley/reconnect"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Prometheus scrapes a client that talks to the mock server, and has data for
// each query of the dashboard. The test writes the dashboard with a minute of
// data as HTML to the file METRICS_PICTURE, if that is set, as in make picture.
func TestDashboard_showsRunWithMockServer(t *testing.T) {
	program, err := exec.LookPath("prometheus")
	installed.Need(t, err, "make prometheus")
	prom := startPrometheus(t, program, startClient(t))
	dashboard := readDashboard(t)
	for _, panel := range dashboard.Panels {
		for _, target := range panel.Targets {
			require.EventuallyWithT(t, func(t *assert.CollectT) { require.NotEmpty(t, prom.query(t, target.Expr)) }, time.Minute, 100*time.Millisecond,
				"%s has no data: %s", panel.Title, target.Expr)
		}
	}
	if file := os.Getenv("METRICS_PICTURE"); file != "" {
		prom.interval = "10s"
		expression := dashboard.Panels[0].Targets[0].Expr
		require.EventuallyWithT(t, func(t *assert.CollectT) {
			points := prom.query(t, expression)[0].Values
			require.Greater(t, points[len(points)-1].at-points[0].at, 60.0)
		}, 3*time.Minute, time.Second, "a minute of data")
		require.NoError(t, os.WriteFile(file, draw(t, prom, dashboard), 0o644))
	}
}

// startClient starts a mock server with faults and a client that uses all that
// the dashboard shows. It returns the address of the metrics.
func startClient(t *testing.T) string {
	t.Helper()
	backend, err := mockserver.Start(mockserver.Config{
		Addr: "127.0.0.1:0", Recovery: time.Minute,
		Faults: mockserver.Faults{Pace: mockserver.Duration(5 * time.Millisecond), Error: 0.1, CutAfter: 60},
	})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- backend.Run(ctx) }() // ends with ctx
	t.Cleanup(func() {
		cancel()
		assert.NoError(t, <-ended)
	})
	c := newCollector()
	client, err := chat.New(backend.URL(), chat.Config{
		ChatID: events.StringID("room-1"), Observers: []any{c},
		// An answer can end while the connection is lost.
		Stream: chat.StreamConfig{IdleTimeout: 5 * time.Second},
		Conn: conn.Config{
			Auth:      func(context.Context) (any, error) { return map[string]any{"tools": []string{"clock"}}, nil },
			Reconnect: reconnect.Policy{InitialInterval: 20 * time.Millisecond, MaxInterval: 100 * time.Millisecond},
		},
	})
	require.NoError(t, err)
	t.Cleanup(func() { client.Close() })
	chat.HandleTool(client, "clock", func(context.Context, any) (time.Time, error) { return time.Now(), nil })
	slow := client.Tokens.Subscribe(ctx, bus.Limit(4), bus.OnOverflow(bus.DropOldest))
	go client.Run(ctx) // ends with client.Close
	go func() {        // ends with ctx
		for ctx.Err() == nil {
			for _, text := range []string{"How are you?", "What time is it?", "Tell me something long"} {
				_, _ = client.Answer(ctx, chat.Question{UserID: events.StringID("ada"), Text: text})
			}
			_, _ = client.Deliver(ctx, events.UserMessage{UserID: events.StringID("ada"), Text: "Thanks"})
			for range 4 { // the slow reader has caught up
				<-slow.C()
			}
		}
	}()
	registry := prometheus.NewRegistry()
	require.NoError(t, registry.Register(c))
	server := httptest.NewServer(promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// A promServer is a Prometheus server that scrapes four times a second.
type promServer struct {
	url      string
	start    time.Time
	interval string // of rates
}

var listening = regexp.MustCompile(`msg="Listening on".* address=(\S+)`)

func startPrometheus(t *testing.T, program, target string) *promServer {
	t.Helper()
	dir := t.TempDir()
	config := filepath.Join(dir, "prometheus.yml")
	alerts, err := filepath.Abs("alerts.yml")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, `
global: {scrape_interval: 250ms, scrape_timeout: 250ms}
rule_files: [%q]
scrape_configs: [{job_name: parley, static_configs: [{targets: [%q]}]}]
`, alerts, target), 0o644))
	cmd := exec.Command(program, "--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address=127.0.0.1:0")
	stderr, err := cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
		assert.NoError(t, cmd.Wait())
	})
	lines := bufio.NewScanner(stderr)
	var log strings.Builder
	for lines.Scan() && !strings.Contains(lines.Text(), "Server is ready") {
		fmt.Fprintln(&log, lines.Text())
	}
	go func() { _, _ = io.Copy(io.Discard, stderr) }() // ends with the process
	match := listening.FindStringSubmatch(log.String())
	require.NotNil(t, match, "prometheus does not listen: %s", &log)
	return &promServer{"http://" + match[1], time.Now(), "2s"}
}

// A series is one line of a panel.
type series struct {
	Metric map[string]string
	Values []point
}

type point struct {
	at    float64 // seconds of Unix time
	value float64
}

// UnmarshalJSON decodes the form [seconds, "value"].
func (p *point) UnmarshalJSON(data []byte) error {
	var value string
	if err := json.Unmarshal(data, &[2]any{&p.at, &value}); err != nil {
		return err
	}
	var err error
	p.value, err = strconv.ParseFloat(value, 64)
	return err
}

// query returns the data of an expression of the dashboard, without the points
// that are not numbers.
func (p *promServer) query(t require.TestingT, expression string) []series {
	expression = strings.NewReplacer("$job", "parley", "$__rate_interval", p.interval).Replace(expression)
	response, err := http.Get(p.url + "/api/v1/query_range?" + url.Values{
		"query": {expression}, "step": {"250ms"},
		"start": {p.start.Format(time.RFC3339Nano)}, "end": {time.Now().Format(time.RFC3339Nano)},
	}.Encode())
	require.NoError(t, err)
	defer response.Body.Close()
	var answer struct {
		Error string
		Data  struct{ Result []series }
	}
	require.NoError(t, json.NewDecoder(response.Body).Decode(&answer))
	require.Empty(t, answer.Error, expression)
	for i, s := range answer.Data.Result {
		answer.Data.Result[i].Values = slices.DeleteFunc(s.Values, func(p point) bool { return math.IsNaN(p.value) })
	}
	return slices.DeleteFunc(answer.Data.Result, func(s series) bool { return len(s.Values) == 0 })
}
