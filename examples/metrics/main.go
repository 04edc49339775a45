// Metrics serves the figures of a client to Prometheus, at /metrics. The
// observer of the client is in collector.go. The debug page is at /debug/chat.
//
//	go run ./examples/metrics
//	curl http://localhost:9090/metrics
//
// dashboard.json is a dashboard for Grafana, and alerts.yml has rules for
// Prometheus.
//
// It asks a question every few seconds, so that the metrics change. Without
// -url it starts a backend in its own process. It is a module of its own, so
// that Parley does not depend on the Prometheus library.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/chat/chatdebug"
	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/events"
	"github.com/seed67206a74/parley/examples/internal/usage"
)

func main() {
	usage.Set("metrics [flags]", "Metrics asks questions and serves the metrics of its client to Prometheus, on /metrics.")
	addr := flag.String("addr", "localhost:9090", "the TCP `address` to serve on")
	url := flag.String("url", "", "the backend's `URL`; if empty, a backend is started in this process")
	room := flag.String("chat", "room-1", "the chat's `id`")
	every := flag.Duration("every", 5*time.Second, "the `duration` between two questions, such as 10s")
	flag.Parse()
	usage.NoArguments()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Stdout, *addr, *url, *room, *every); err != nil {
		fmt.Fprintln(os.Stderr, "metrics:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends.
func run(ctx context.Context, out io.Writer, addr, url, room string, every time.Duration) error {
	if url == "" {
		server, err := chattest.Start("", chattest.Config{Answer: chattest.Echo(40 * time.Millisecond)})
		if err != nil {
			return err
		}
		defer server.Close()
		url = server.URL
	}
	collector := newCollector()
	page := new(chatdebug.Page)
	client, err := chat.New(url, chat.Config{ChatID: events.StringID(room), Observers: []any{collector, page}})
	if err != nil {
		return err
	}
	defer client.Close()
	go client.Run(ctx) // ends with client.Close

	registry := prometheus.NewRegistry()
	registry.MustRegister(collector)
	go askRegularly(ctx, client, every) // ends with ctx

	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.Handle("GET /debug/chat", page)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	defer context.AfterFunc(ctx, func() { server.Close() })()
	fmt.Fprintf(out, "metrics: http://%s/metrics\n", listener.Addr())
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// askRegularly asks a question at once and then at each tick.
func askRegularly(ctx context.Context, client *chat.Client, every time.Duration) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		_, _ = client.Answer(ctx, chat.Question{UserID: events.StringID("metrics"), Text: "How are you?"})
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}
