package zishang_test

import (
	"context"
	"net/url"
	"runtime"
	"testing"
	"time"

	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/conn/zishang"
	"github.com/seed67206a74/parley/internal/wiretest"
)

// BenchmarkSession opens and closes sessions, and reports the goroutines and
// bytes that remain for each.
func BenchmarkSession(b *testing.B) {
	address, err := url.Parse(wiretest.Serve(b, func(p *wiretest.Peer) { p.Welcome(); p.UntilGone() }))
	if err != nil {
		b.Fatal(err)
	}
	to := conn.Endpoint{URL: address, Transports: []string{conn.WebSocket}, MaxFrame: 1 << 20, WriteTimeout: time.Second}
	before := measure()
	for b.Loop() {
		s, err := zishang.Dialer{}.Dial(context.Background(), to)
		if err != nil {
			b.Fatal(err)
		}
		_ = s.CloseNow()
	}
	after := measure()
	b.ReportMetric(float64(after.goroutines-before.goroutines)/float64(b.N), "goroutines-left/session")
	b.ReportMetric(float64(after.bytes-before.bytes)/float64(b.N), "B-left/session")
}

type left struct{ goroutines, bytes int64 }

func measure() left {
	var m runtime.MemStats
	for range 10 { // closing takes the client some time
		time.Sleep(50 * time.Millisecond)
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return left{int64(runtime.NumGoroutine()), int64(m.HeapAlloc + m.StackInuse)}
}
