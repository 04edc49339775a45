//go:build collector

package collector

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/chat/chatotel"
	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/events"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

const config = `
receivers:
  otlp:
    protocols:
      http:
        endpoint: %s
exporters:
  file:
    path: %s
    flush_interval: 10ms
service:
  pipelines:
    traces: {receivers: [otlp], exporters: [file]}
    metrics: {receivers: [otlp], exporters: [file]}
  telemetry:
    metrics: {level: none}
`

// start builds and starts a collector. It returns its address and the file that
// it writes.
func start(t *testing.T) (addr, file string) {
	t.Helper()
	dir := t.TempDir()
	binary := filepath.Join(dir, "collector")
	build := exec.Command("go", "build", "-modfile", "collector/testdata/collector/collector.mod", "-o", binary, "./collector/testdata/collector")
	build.Dir, build.Env = "..", append(os.Environ(), "GOWORK=off")
	out, err := build.CombinedOutput()
	require.NoError(t, err, string(out))

	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr, file = l.Addr().String(), filepath.Join(dir, "out.json")
	require.NoError(t, l.Close())
	settings := filepath.Join(dir, "config.yaml")
	require.NoError(t, os.WriteFile(settings, fmt.Appendf(nil, config, addr, file), 0o600))
	ctx, cancel := context.WithCancel(context.Background())
	var log bytes.Buffer
	collector := exec.CommandContext(ctx, binary, "--config", "file:"+settings)
	collector.Stdout, collector.Stderr = &log, &log
	collector.Cancel = func() error { return collector.Process.Signal(os.Interrupt) }
	require.NoError(t, collector.Start())
	t.Cleanup(func() {
		cancel()
		_ = collector.Wait()
		if t.Failed() {
			t.Log(log.String())
		}
	})
	require.Eventually(t, func() bool {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	}, time.Minute, 10*time.Millisecond)
	return addr, file
}

func TestCollector_writesSpansAndMetrics(t *testing.T) {
	addr, file := start(t)
	ctx := t.Context()
	spans, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpoint(addr), otlptracehttp.WithInsecure())
	require.NoError(t, err)
	metrics, err := otlpmetrichttp.New(ctx, otlpmetrichttp.WithEndpoint(addr), otlpmetrichttp.WithInsecure())
	require.NoError(t, err)
	traces := sdktrace.NewTracerProvider(sdktrace.WithBatcher(spans))
	meters := sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewPeriodicReader(metrics)))
	observer, err := chatotel.New(chatotel.Config{TracerProvider: traces, MeterProvider: meters})
	require.NoError(t, err)

	backend := chattest.NewServer(chattest.Config{})
	defer backend.Close()
	client, err := chat.New(backend.URL, chat.Config{ChatID: events.StringID("room-1"), Observers: []any{observer}})
	require.NoError(t, err)
	go client.Run(ctx) // ends with client.Close
	_, err = client.Answer(ctx, chat.Question{UserID: events.StringID("u1"), Text: "a secret", RequestID: "r1"})
	require.NoError(t, err)
	require.NoError(t, meters.ForceFlush(ctx))
	require.NoError(t, client.Close())
	require.NoError(t, traces.Shutdown(ctx))
	require.NoError(t, meters.Shutdown(ctx))

	var written string
	require.Eventually(t, func() bool {
		content, _ := os.ReadFile(file)
		written = string(content)
		return strings.Contains(written, `"name":"chat"`) && strings.Contains(written, "gen_ai.client.operation.duration")
	}, time.Minute, 10*time.Millisecond)
	for _, part := range []string{
		`{"key":"gen_ai.conversation.id","value":{"stringValue":"room-1"}}`,
		`{"key":"parley.request.id","value":{"stringValue":"r1"}}`,
		"gen_ai.client.operation.time_to_first_chunk", "gen_ai.client.operation.time_per_output_chunk",
		"parley.connection.sessions", "parley.client.ready", `"explicitBounds":[0.01,0.02,0.04`,
	} {
		assert.Contains(t, written, part)
	}
	assert.NotContains(t, written, "a secret")
	if keep := os.Getenv("PARLEY_COLLECTOR_FILE"); keep != "" {
		require.NoError(t, os.WriteFile(keep, []byte(written), 0o600))
	}
}
