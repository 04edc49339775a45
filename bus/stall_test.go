package bus_test

import (
	"context"
	"runtime/debug"
	"slices"
	"testing"
	"time"

	"github.com/seed67206a74/parley/bus"
)

// BenchmarkStuckReader measures one publish while a reader is stuck and its
// backlog grows to the default limit and beyond:
// go test -run xxx -bench StuckReader ./bus
//
// Immediately after each call the clock is read once more. The longest such
// read, idle-max-ns, is the delay that the machine and the garbage collector
// add to any goroutine. The uncollected run leaves out the collector.
func BenchmarkStuckReader(b *testing.B) {
	b.Run("collected", stuckReader)
	b.Run("uncollected", func(b *testing.B) {
		defer debug.SetGCPercent(debug.SetGCPercent(-1))
		stuckReader(b)
	})
}

func stuckReader(b *testing.B) {
	const size = 2 * bus.DefaultLimit
	var publishing, idle []time.Duration
	b.ReportAllocs()
	for b.Loop() {
		topic := quiet[token]()
		sub := topic.Subscribe(context.Background(), bus.OnOverflow(bus.DropNewest))
		publishing, idle = slices.Grow(publishing, size), slices.Grow(idle, size)
		for i := range size {
			v := aToken(i)
			start := time.Now()
			topic.Publish(v)
			published := time.Now()
			idle = append(idle, time.Since(published))
			publishing = append(publishing, published.Sub(start))
		}
		sub.Close()
	}
	slices.Sort(publishing)
	b.ReportMetric(float64(publishing[len(publishing)/2]), "p50-ns")
	b.ReportMetric(float64(publishing[len(publishing)*99/100]), "p99-ns")
	b.ReportMetric(float64(publishing[len(publishing)-1]), "max-ns")
	b.ReportMetric(float64(slices.Max(idle)), "idle-max-ns")
}
