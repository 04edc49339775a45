package chaos

import (
	"math/rand/v2"
	"time"
)

// A Plan draws a fate for each connection of a proxy. Equal plans draw equal fates.
type Plan struct {
	Seed   uint64
	Client uint64 // so that clients of one seed have fates of their own
}

// Fate returns what becomes of the n-th connection.
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
	if r.IntN(10) == 0 { // one that lasts
		at += 50_000
	}
	kind := Cut
	if r.IntN(2) == 0 {
		kind += Kind(r.IntN(int(kinds - Cut)))
	}
	f.Breaks = append(f.Breaks, Break{at, kind, between(r, 100*time.Millisecond, 2*time.Second)})
	return f
}

func between(r *rand.Rand, low, high time.Duration) time.Duration {
	return low + time.Duration(r.Int64N(int64(high-low)))
}
