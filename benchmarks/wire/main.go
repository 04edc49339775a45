// Wire measures clients of a Socket.IO server: how fast they send, call and
// receive. The server is a separate process on the loopback interface. It
// counts the messages, and sends tokens as fast as the socket takes them.
//
//	go run ./wire                          # all rows, three rounds
//	go run ./wire -rounds 1 -events 20000  # shorter
//	go run ./wire -rows '^send'            # some of the rows
//	go run ./wire -readme wire/README.md   # writes the table between the file's markers
//
// All clients alternate within one run, so other load on the machine affects
// all of them. The reference client needs Node and the packages of
// interop/node; without them its rows are left out.
package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"flag"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/seed67206a74/parley/benchmarks/internal/child"
	"github.com/seed67206a74/parley/benchmarks/internal/markdown"
	"github.com/seed67206a74/parley/conn"
)

// A row is one measurement: each contender handles so many events.
type row struct {
	name       string
	transport  string // conn.WebSocket or conn.Polling
	secure     bool   // over TLS
	events     int
	contenders []contender
}

// A contender runs a client once.
type contender struct {
	name string
	run  runFunc
}

type runFunc func(ctx context.Context, to target, events int) (result, error)

// A target is the server of a run.
type target struct {
	url       string
	secure    bool // any certificate is accepted
	transport string
}

// anyCertificate accepts the certificate of the server, which is its own.
var anyCertificate = &tls.Config{InsecureSkipVerify: true}

// A result is the outcome of one run.
type result struct {
	took    time.Duration
	allocs  float64 // for each event; negative if unknown
	inOrder bool
}

func main() {
	events := flag.Int("events", 200_000, "number of events in a run")
	rounds := flag.Int("rounds", 3, "number of runs of each contender; the fastest counts")
	only := flag.String("rows", "", "measure only the rows whose name matches this regular `expression`")
	node := flag.String("node", "../interop/node", "`directory` with the node_modules of the reference client")
	readme := flag.String("readme", "", "write the table into this `file`, between its markers, instead of printing it")
	flag.Parse()
	err := serveOrRun(*events, *rounds, *only, *node, *readme)
	if err != nil {
		fmt.Fprintln(os.Stderr, "wire:", err)
		os.Exit(1)
	}
}

func serveOrRun(events, rounds int, only, node, readme string) error {
	if os.Getenv(beServer) != "" {
		return serve()
	}
	chosen, err := regexp.Compile(only)
	if err != nil {
		return err
	}
	ctx := context.Background()
	urls, stop, err := child.Start(ctx, beServer)
	if err != nil {
		return err
	}
	defer stop()
	plain, secure, _ := strings.Cut(urls, " ")
	table := markdown.NewTable("row", "client", "events/s", "of the reference client", "allocations", "in order")
	for _, r := range rows(events, node) {
		if !chosen.MatchString(r.name) {
			continue
		}
		to := target{plain, r.secure, r.transport}
		if r.secure {
			to.url = secure
		}
		if err := measure(ctx, to, r, rounds, table); err != nil {
			return fmt.Errorf("%s: %w", r.name, err)
		}
	}
	if readme == "" {
		fmt.Print(table)
		return nil
	}
	return markdown.Rewrite(readme, table.String())
}

const reference = "reference client (Node)"

func rows(events int, node string) []row {
	withNode := func(mode string, list ...contender) []contender {
		if c, ok := nodeClient(node, mode); ok {
			list = append(list, contender{reference, c})
		}
		return list
	}
	send := withNode("send", contender{"Parley, SendMessage", parleySend(1)},
		contender{"gorilla, WriteMessage", gorillaSend}, contender{"zishang520, Emit", zishangSend})
	receive := withNode("receive", contender{"Parley, Tokens", parleyReceive}, contender{"Parley, Stream.Tokens", parleyStream},
		contender{"gorilla, frames not decoded", gorillaReceive}, contender{"zishang520, On", zishangReceive})
	send64 := withNode("send", contender{"Parley, SendMessage", parleySend(64)},
		contender{"gorilla, WriteMessage of one goroutine", gorillaSend})
	return []row{
		{"send, 1 goroutine", conn.WebSocket, false, events, send},
		{"send, 64 goroutines", conn.WebSocket, false, events, send64},
		{"call, 1 in flight", conn.WebSocket, false, events / 10,
			withNode("call1", contender{"Parley, Call", parleyCall(1)}, contender{"zishang520, EmitWithAck", zishangCall(1)})},
		{"call, 64 in flight", conn.WebSocket, false, events / 4,
			withNode("call64", contender{"Parley, Call", parleyCall(64)}, contender{"zishang520, EmitWithAck", zishangCall(64)})},
		{"receive tokens", conn.WebSocket, false, events, receive},
		{"wss: send, 1 goroutine", conn.WebSocket, true, events, send},
		{"wss: send, 64 goroutines", conn.WebSocket, true, events, send64},
		{"wss: receive tokens", conn.WebSocket, true, events, receive},
		{"long-polling: send, 64 goroutines", conn.Polling, false, events / 4,
			withNode("send", contender{"Parley, SendMessage", parleySend(64)})},
		{"long-polling: receive tokens", conn.Polling, false, events,
			withNode("receive", contender{"Parley, Tokens", parleyReceive})},
	}
}

// measure runs the contenders of a row in turn, and adds their best results to
// the table.
func measure(ctx context.Context, to target, r row, rounds int, table *markdown.Table) error {
	results := make([][]result, len(r.contenders))
	for range rounds {
		for i, c := range r.contenders {
			runtime.GC()
			got, err := c.run(ctx, to, r.events)
			if err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			results[i] = append(results[i], got)
		}
	}
	best := func(i int) result {
		return slices.MinFunc(results[i], func(a, b result) int { return cmp.Compare(a.took, b.took) })
	}
	ofReference := func(time.Duration) string { return "" }
	for i, c := range r.contenders {
		if c.name == reference {
			took := best(i).took
			ofReference = func(other time.Duration) string { return fmt.Sprintf("%.2f", float64(took)/float64(other)) }
		}
	}
	for i, c := range r.contenders {
		b := best(i)
		allocs := ""
		if b.allocs >= 0 {
			allocs = fmt.Sprintf("%.1f", b.allocs)
		}
		ordered := !slices.ContainsFunc(results[i], func(r result) bool { return !r.inOrder })
		table.Row(r.name, c.name, fmt.Sprintf("%.0f", float64(r.events)/b.took.Seconds()), ofReference(b.took), allocs, yesNo(ordered))
		fmt.Fprintf(os.Stderr, "wire: %s: %s measured\n", r.name, c.name)
	}
	return nil
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
