package bus_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/seed67206a74/parley/bus"
)

// What one publish takes while a reader is stuck and its backlog grows to the
// default limit and beyond: go test -run xxx -bench StuckReader ./bus
func BenchmarkStuckReader(b *testing.B) {
	const size = 2 * bus.DefaultLimit
	var took []time.Duration
	b.ReportAllocs()
	for b.Loop() {
		topic := quiet[token]()
		sub := topic.Subscribe(context.Background(), bus.OnOverflow(bus.DropNewest))
		for i := range size {
			v := aToken(i)
			start := time.Now()
			topic.Publish(v)
			took = append(took, time.Since(start))
		}
		sub.Close()
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2]), "p50-ns")
	b.ReportMetric(float64(took[len(took)*99/100]), "p99-ns")
	b.ReportMetric(float64(took[len(took)-1]), "max-ns")
}
