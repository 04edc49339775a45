package chaos

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// A FaultPlan lists the faults of one connection. The zero FaultPlan has none.
type FaultPlan struct {
	Refuse bool // reset as soon as it is accepted

	Delay time.Duration // before each piece
	Chunk int           // bytes written at once at most; 0 for no limit
	Rate  int           // bytes per second in each direction; 0 for no limit

	Breaks []Break // in the order of After
}

// A Break occurs after After bytes, counted in both directions together.
type Break struct {
	After int64
	Kind  Kind

	// Hold is the duration of a Stall. After the other kinds, the rest of the
	// connection is reset after Hold.
	Hold time.Duration
}

// A Kind is a way to break a connection.
type Kind int

const (
	Stall       Kind = iota // no byte and no end of the stream passes for a while
	Reset                   // both ends are reset
	ResetClient             // the client's end is reset; the server receives nothing more
	ResetServer             // the server's end is reset; the client receives nothing more
	CloseUp                 // the server sees the end of the stream; the other direction stays open
	CloseDown               // the client sees the end of the stream; the other direction stays open
	kinds
)

var kindNames = [...]string{"stall", "reset", "reset at the client", "reset at the server", "half-close up", "half-close down"}

// String names the kind in lower case.
func (k Kind) String() string { return kindNames[k] }

// whole reports whether the plan has no fault.
func (f FaultPlan) whole() bool {
	return !f.Refuse && f.Delay == 0 && f.Chunk == 0 && f.Rate == 0 && len(f.Breaks) == 0
}

// String returns the plan in one line, for logs.
func (f FaultPlan) String() string {
	var parts []string
	add := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	if f.Refuse {
		add("refused")
	}
	if f.Delay > 0 {
		add("delay %v", f.Delay)
	}
	if f.Chunk > 0 {
		add("pieces of %d", f.Chunk)
	}
	if f.Rate > 0 {
		add("%d B/s", f.Rate)
	}
	for _, b := range f.Breaks {
		add("%v after %d B (%v)", b.Kind, b.After, b.Hold)
	}
	if len(parts) == 0 {
		return "whole"
	}
	return strings.Join(parts, ", ")
}

// A Plan draws a FaultPlan for each connection of a proxy. Equal Plans draw
// equal faults.
type Plan struct {
	Seed   uint64
	Client uint64 // gives each client of a seed its own faults
}

// Faults returns the faults of the n-th connection.
func (p Plan) Faults(n int) FaultPlan {
	r := rand.New(rand.NewPCG(p.Seed, p.Client<<32|uint64(n)))
	if r.IntN(8) == 0 {
		return FaultPlan{Refuse: true}
	}
	var f FaultPlan
	if r.IntN(4) == 0 {
		f.Delay = between(r, time.Millisecond, 15*time.Millisecond)
	}
	if r.IntN(3) == 0 {
		f.Chunk = 1 + r.IntN(40)
	}
	if r.IntN(5) == 0 {
		f.Rate = 4000 + r.IntN(40_000)
	}
	at := int64(0)
	if r.IntN(3) == 0 {
		at += r.Int64N(10_000)
		f.Breaks = append(f.Breaks, Break{at, Stall, between(r, 50*time.Millisecond, 1500*time.Millisecond)})
	}
	at += 100 + r.Int64N(20_000)
	if r.IntN(10) == 0 { // a long connection
		at += 50_000
	}
	kind := Reset
	if r.IntN(2) == 0 {
		kind += Kind(r.IntN(int(kinds - Reset)))
	}
	f.Breaks = append(f.Breaks, Break{at, kind, between(r, 100*time.Millisecond, 2*time.Second)})
	return f
}

func between(r *rand.Rand, low, high time.Duration) time.Duration {
	return low + time.Duration(r.Int64N(int64(high-low)))
}
