// Nats measures how the rate of chatnats grows with its workers and leases. All
// of them use an embedded NATS server on one machine.
//
//	go run ./nats                             # prints the tables
//	go run ./nats -readme ../docs/chatnats.md # writes them between the page's markers
//
// The first table has groups of workers. A handler takes a millisecond, and a
// worker handles four events at a time. The second table has instances that
// share leases. First it counts the messages that the instances send and
// receive without events. Then each holder forwards its part of the events, and
// a reader receives all of them.
package main

import (
	"context"
	"flag"
	"fmt"
	"math"
	"os"
	"runtime"
	"time"

	"github.com/seed67206a74/parley/benchmarks/internal/markdown"
)

func main() {
	events := flag.Int("events", 20_000, "`number` of events of a measurement")
	readme := flag.String("readme", "", "write the tables into this `file`, between its markers, instead of printing them")
	flag.Parse()
	if err := run(context.Background(), *events, *readme); err != nil {
		fmt.Fprintln(os.Stderr, "nats:", err)
		os.Exit(1)
	}
}

// million is the rate of events of the page's estimate for a million chats.
const million = 510_000

// workersFor returns how many workers of a measured rate handle a million
// chats, as a sentence.
func workersFor(rate float64) string {
	return fmt.Sprintf("At the rate of one worker, %d events/s need **%.0f workers**.\n", million, math.Ceil(million/math.Round(rate)))
}

func run(ctx context.Context, events int, readme string) error {
	report := fmt.Sprintf("%d cores, %s, %s/%s.\n\n", runtime.NumCPU(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	table := markdown.NewTable("workers", "events/s")
	var single float64
	for _, workers := range []int{1, 2, 4} {
		rate, err := measureWorkers(ctx, workers, events)
		if err != nil {
			return fmt.Errorf("%d workers: %w", workers, err)
		}
		if workers == 1 {
			single = rate
		}
		table.Row(fmt.Sprint(workers), fmt.Sprintf("%.0f", rate))
		fmt.Fprintf(os.Stderr, "nats: %d workers measured\n", workers)
	}
	report += table.String() + "\n" + workersFor(single) + "\n"
	table = markdown.NewTable("leases", "instances", "sent/s", "received/s", "events/s")
	for _, leases := range []int{1, 10, 50, 500} {
		for instances := 1; instances <= 3; instances++ {
			r, err := measureLeases(ctx, leases, instances, events, 6*time.Second)
			if err != nil {
				return fmt.Errorf("%d leases: %w", leases, err)
			}
			table.Row(fmt.Sprint(leases), fmt.Sprint(instances),
				fmt.Sprintf("%.1f", r.sent), fmt.Sprintf("%.1f", r.received), fmt.Sprintf("%.0f", r.rate))
			fmt.Fprintf(os.Stderr, "nats: %d leases of %d instances measured\n", leases, instances)
		}
	}
	report += table.String()
	if readme == "" {
		fmt.Print(report)
		return nil
	}
	return markdown.Rewrite(readme, report)
}
