package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/seed67206a74/parley/benchmarks/internal/markdown"
	"github.com/seed67206a74/parley/bus"
)

// A burst fits into every channel. A flood fits into the channels of every
// contender but parley/bus.
const (
	burst         = 64
	burstCapacity = 128
	flood         = 8000
	floodCapacity = bus.DefaultLimit
)

var fans = []int{1, 4, 16}

// report measures everything and returns it as Markdown.
func report(settings Settings) (string, error) {
	all := contenders()
	var out strings.Builder
	fmt.Fprintf(&out, "%d cores, %s, %s/%s.\n", runtime.GOMAXPROCS(0), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	out.WriteString(versions(all) + "\n")
	for _, pattern := range []struct {
		title            string
		events, capacity int
	}{
		{fmt.Sprintf("Bursts of %d events", burst), burst, burstCapacity},
		{fmt.Sprintf("Floods of %d events", flood), flood, floodCapacity},
	} {
		var columns [][]FanOut
		for _, n := range fans {
			figures, err := fanOut(all, Shape{n, pattern.events, pattern.capacity}, settings)
			if err != nil {
				return "", err
			}
			columns = append(columns, figures)
		}
		fmt.Fprintf(&out, "\n### %s\n\n%s", pattern.title, fanOutTable(all, columns))
	}
	beside := append([]Contender{noBus(), all[0], all[1], parleyDropping()}, all[2:]...)
	delays, err := stuckReader(beside, burstCapacity, settings)
	if err != nil {
		return "", err
	}
	fmt.Fprintf(&out, "\n### One stuck reader\n\n%s", stuckTable(beside, delays))
	return out.String(), nil
}

// ratio formats r with its significant digits.
func ratio(r float64) string {
	if r >= 10 {
		return fmt.Sprintf("%.0f", r)
	}
	return fmt.Sprintf("%.2f", r)
}

// fanOutTable returns a table with a row for each contender. Columns has an
// element for each of fans.
func fanOutTable(contenders []Contender, columns [][]FanOut) string {
	var head, times, allocations []string
	head = append(head, "ns per event")
	for _, n := range fans {
		times = append(times, fmt.Sprintf("1→%d", n), "× raw")
		allocations = append(allocations, fmt.Sprintf("allocs 1→%d", n))
	}
	t := markdown.NewTable(append(append(head, times...), allocations...)...)
	for i, c := range contenders {
		times, allocations = nil, nil
		for _, column := range columns {
			f := column[i]
			times = append(times, fmt.Sprintf("%.0f", f.Nanoseconds), ratio(f.Ratio))
			allocations = append(allocations, fmt.Sprintf("%.1f", f.Allocations))
		}
		t.Row(append(append([]string{c.Name}, times...), allocations...)...)
	}
	return t.String()
}

func stuckTable(contenders []Contender, delays []Delay) string {
	t := markdown.NewTable("publishing takes", "p50", "p99", "max", "")
	for i, c := range contenders {
		if d := delays[i]; d.Blocked {
			t.Row(c.Name, "–", "–", "∞", fmt.Sprintf("blocks for ever, %d calls returned", d.Published))
		} else {
			t.Row(c.Name, short(d.P50), short(d.P99), short(d.Max), "")
		}
	}
	return t.String()
}

// short rounds to three digits or less.
func short(d time.Duration) string {
	unit := time.Nanosecond
	for d/unit >= 1000 {
		unit *= 10
	}
	return d.Round(unit).String()
}

// versions lists the version of each module in the build, one a line.
func versions(contenders []Contender) string {
	built := map[string]string{}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if m.Replace == nil { // a replaced module has no version
				built[m.Path] = m.Version
			}
		}
	}
	var found []string
	for _, c := range contenders {
		if version, ok := built[c.Module]; ok {
			found = append(found, strings.TrimPrefix(c.Module, "github.com/")+" "+version)
			delete(built, c.Module) // once, also with several contenders
		}
	}
	return strings.Join(found, ",\n") + "."
}
