// Web streams many answers to browsers at once, and compares chat/chathttp with
// a handler of server-sent events that is written by hand. The web server is a
// process of its own for each handler. This program is the backend and the
// browsers.
//
//	go run ./web                        # 1,000 streams
//	go run ./web -streams 100           # another number
//	go run ./web -readme web/README.md  # writes the table between the file's markers
package main

import (
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/seed67206a74/parley/benchmarks/internal/markdown"
)

func main() {
	streams := flag.Int("streams", 1000, "number of streams")
	rounds := flag.Int("rounds", 3, "number of measurements of each handler; the medians are shown")
	pace := flag.Duration("pace", 500*time.Millisecond, "time between two tokens of an answer")
	readme := flag.String("readme", "", "write the table into this `file`, between its markers, instead of printing it")
	flag.Parse()
	err := raiseFileLimit()
	if err == nil && os.Getenv(beServer) != "" {
		err = serve()
	} else if err == nil {
		err = run(*streams, *rounds, *pace, *readme)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "web:", err)
		os.Exit(1)
	}
}

func run(streams, rounds int, pace time.Duration, readme string) error {
	results := map[string][]result{}
	for range rounds { // the handlers take turns, so that each has the same load of the machine
		for _, handler := range handlers {
			r, err := measure(handler, streams, pace)
			if err != nil {
				return fmt.Errorf("%s: %w", handler, err)
			}
			results[handler] = append(results[handler], r)
			fmt.Fprintf(os.Stderr, "web: %s: %+v\n", handler, r)
		}
	}
	table := markdown.NewTable(fmt.Sprintf("%d streams", streams), "memory each", "ratio", "first token p50", "ratio", "p99", "ratio")
	base := medians(results[byHand])
	for _, handler := range handlers {
		r := medians(results[handler])
		if handler == plainSSE || handler == aiSDK {
			fmt.Fprintf(os.Stderr, "web: %s: within the limit: memory %t, p50 %t, p99 %t\n", handler,
				within(r.memory, base.memory), within(r.p50, base.p50), within(r.p99, base.p99))
		}
		table.Row(handler, fmt.Sprintf("%.1f KiB", r.memory/1024), ratio(r.memory, base.memory),
			ms(r.p50), ratio(r.p50, base.p50), ms(r.p99), ratio(r.p99, base.p99))
	}
	if readme == "" {
		fmt.Print(table)
		return nil
	}
	return markdown.Rewrite(readme, table.String())
}

func ms(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond)) }

// limit is the highest ratio that chathttp may have.
const limit = 1.2

func within[T float64 | time.Duration](value, base T) bool {
	return float64(value) <= limit*float64(base)
}

func ratio[T float64 | time.Duration](value, base T) string {
	return fmt.Sprintf("%.2f", float64(value)/float64(base))
}
