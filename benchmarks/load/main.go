// Load opens many connections at once, each with an answer streaming in, and
// measures their cost. The server is a separate process on the loopback
// interface, so only the client is measured.
//
//	go run ./load                              # 100, 1,000, 3,000 and 10,000 connections
//	go run ./load -connections 100,500         # other numbers
//	go run ./load -readme load/README.md       # writes the table between the file's markers
//
// Each connection is a chat.Client with one question in flight. Clients with
// observers are measured in the same run, and two clients without Parley. The
// first is a loop that reads the frames of a websocket. The second decodes them
// in a goroutine, and sends the tokens to a channel.
//
// A token carries the time at which the server wrote it. Its latency ends when
// the program receives it.
package main

import (
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/seed67206a74/parley/benchmarks/internal/markdown"
)

func main() {
	connections := flag.String("connections", "100,1000,3000,10000", "comma-separated `list` of numbers of connections")
	pace := flag.Duration("pace", 500*time.Millisecond, "time between two tokens of an answer")
	tokens := flag.Int("tokens", 20, "number of tokens in an answer")
	readme := flag.String("readme", "", "write the table into this `file`, between its markers, instead of printing it")
	flag.Parse()
	err := raiseFileLimit()
	if err == nil && os.Getenv(beServer) != "" {
		err = serveLoad()
	} else if err == nil {
		err = run(*connections, *pace, *tokens, *readme)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

func run(list string, pace time.Duration, tokens int, readme string) error {
	table := markdown.NewTable("connections", "client", "all connected in", "goroutines each", "heap each, idle", "heap each, streaming", "stacks each",
		"tokens/s", "latency p50", "p99", "CPU per token", "of a bare reader", "of the first row", "heap, of the first row", "tokens lost")
	for field := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(field))
		if err != nil || n < 1 {
			return fmt.Errorf("%q is not a number of connections", field)
		}
		results := make([]result, len(contenders))
		for i, c := range contenders {
			open, err := c.open()
			if err == nil {
				results[i], err = measure(open, n, pace, tokens)
			}
			if err != nil {
				return fmt.Errorf("%d connections: %s: %w", n, c.name, err)
			}
		}
		plain, bare := results[0], results[len(results)-1]
		for i, r := range results {
			table.Row(fmt.Sprint(n), contenders[i].name, fmt.Sprintf("%.1f s", r.connecting.Seconds()),
				fmt.Sprintf("%.2f", r.goroutines), kib(r.idle), kib(r.streaming), kib(r.stacks),
				fmt.Sprintf("%.0f", r.rate), round(r.p50), round(r.p99), round(r.cpu),
				ratio(r.cpu, bare.cpu), ratio(r.cpu, plain.cpu), ratio(r.streaming, plain.streaming), fmt.Sprint(r.lost))
		}
		fmt.Fprintf(os.Stderr, "load: %d connections measured\n", n)
	}
	if readme == "" {
		fmt.Print(table)
		return nil
	}
	return markdown.Rewrite(readme, table.String())
}

// contenders are measured for each number of connections. The first is a client
// without observers, and the last is a bare reader.
var contenders = []struct {
	name       string
	open       func() (openFunc, error)
	goroutines float64 // of each connection, without the goroutine that asks
}{
	{"Parley", func() (openFunc, error) { return openChat(), nil }, 2},
	{"Parley, an observer of all events", openObserved, 2},
	{"Parley, OpenTelemetry metrics", openMetrics, 2},
	{"Parley, OpenTelemetry metrics and spans", openSpans, 2},
	{"gorilla, encoding/json, a channel", func() (openFunc, error) { return openHandmade, nil }, 1},
	{"gorilla, frames not decoded", func() (openFunc, error) { return openBare, nil }, 0},
}

func ratio[T ~int64 | ~float64](of, to T) string { return fmt.Sprintf("%.2f", float64(of)/float64(to)) }

func kib(bytes float64) string { return fmt.Sprintf("%.1f KiB", bytes/1024) }

func round(d time.Duration) string {
	if d < time.Millisecond {
		return fmt.Sprintf("%.0f µs", float64(d)/float64(time.Microsecond))
	}
	return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
}
