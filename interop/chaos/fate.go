package chaos

import (
	"fmt"
	"strings"
	"time"
)

// A Fate is what becomes of one connection. The zero Fate is a whole network.
type FaultPlan struct {
	Refuse bool // reset as soon as it is accepted

	Delay time.Duration // before each piece
	Chunk int           // bytes written at once at most; 0 for no limit
	Rate  int           // bytes per second in each direction; 0 for no limit

	Breaks []Break // in the order of After
}

// A Break happens when so many bytes have passed, both directions together.
type Break struct {
	After int64
	Kind  Kind
	Hold  time.Duration // how long a Stall lasts, and how long at most what the others leave open
}

// A Kind is a way to break a connection.
type Kind int

const (
	Stall     Kind = iota // nothing passes for a while, not even an end
	Cut                   // both ends are reset
	CutClient             // the client's end is reset; the server is left with silence
	CutServer             // the server's end is reset; the client is left with silence
	CloseUp               // the server sees the end of what the client says; the other way stays open
	CloseDown             // the client sees the end of what the server says; the other way stays open
	kinds
)

var kindNames = [...]string{"stall", "cut", "cut at the client", "cut at the server", "half-close up", "half-close down"}

// String names the kind in lower case.
func (k Kind) String() string { return kindNames[k] }

// whole reports whether nothing is done to the connection.
func (f FaultPlan) whole() bool {
	return !f.Refuse && f.Delay == 0 && f.Chunk == 0 && f.Rate == 0 && len(f.Breaks) == 0
}

// String is the fate in one line, for logs.
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
